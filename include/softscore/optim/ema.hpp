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

/// The exponential moving average of the parameters that one samples with. `keep` is the share of the old average:
/// 0.999 in EQUATIONS T2, and 1 - m in T3, where m = 1e-4 is what flows in.
struct ema {
  double keep{0.999};

  template <class Be, class T>
  void follow(Be& be, view<T, typename Be::space> average, const_view<T, typename Be::space> value) const {
    be.for_each(ema_body{keep}, average, value);
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI
