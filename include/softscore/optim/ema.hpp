#pragma once

#include <softscore/backend/concept.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// average <- keep average + (1 - keep) value, element by element.
struct ema_body {
  double keep;
  template <class T>
  SOFTSCORE_HD void operator()(T& average, const T& value) const {
    average += (value - average) * static_cast<T>(1 - keep);
  }
};

/// The exponential moving average of the parameters, used for sampling. `keep` is the share of the old average, 0.999
/// in the code of Song et al. 2021. Galerne 2024 calls it 1 - m, where m = 1e-4 is the share of the new parameters.
struct ema {
  double keep{0.999};

  template <class Be, class T>
  void follow(Be& be, out_of<Be, T> average, in_of<Be, T> value) const {
    be.for_each(ema_body{keep}, average, value);
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI
