#pragma once

#include <cstddef>

#include <softscore/backend/concept.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Starts a sum that keeps its rounding errors.
struct start_sum_body {
  template <class T>
  SOFTSCORE_HD void operator()(T& sum, T& lost, const T& value) const {
    sum = value;
    lost = T{};
  }
};

/// Adds one number to it (Kahan 1965).
struct add_to_sum_body {
  template <class T>
  SOFTSCORE_HD void operator()(T& sum, T& lost, const T& value) const {
    const T added = value - lost, grown = sum + added;
    lost = (grown - sum) - added;
    sum = grown;
  }
};

/// The mean of `count` numbers from their sum.
struct mean_of_sum_body {
  double count;
  template <class T>
  SOFTSCORE_HD void operator()(T& mean, const T& sum) const {
    mean = sum / static_cast<T>(count);
  }
};

/// The mean of the gradients of a batch's parts. They are added in order, and the rounding errors are kept: for any
/// number of parts it is as precise as one of them.
template <class Be, class T = float>
class gradient_sum {
 public:
  gradient_sum(Be& be, const shape& flat) : sum_{be.template make<T>(flat)}, lost_{be.template make<T>(flat)} {}

  /// Adds the gradient of the next part; after the last of `parts` parts, sets it to the mean of all.
  void add(Be& be, std::size_t part, std::size_t parts, out_of<Be, T> gradient) {
    const view_of<Be, const T> value = gradient;
    if (part == 0)
      be.for_each(start_sum_body{}, sum_.view(), lost_.view(), value);
    else
      be.for_each(add_to_sum_body{}, sum_.view(), lost_.view(), value);
    if (part + 1 == parts)
      be.for_each(mean_of_sum_body{static_cast<double>(parts)}, gradient, view_of<Be, const T>(sum_.view()));
  }

 private:
  array_of<Be, T> sum_, lost_;
};

}  // namespace softscore::inline SOFTSCORE_ABI
