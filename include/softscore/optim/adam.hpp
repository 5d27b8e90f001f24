#pragma once

#include <cstddef>
#include <cstdint>

#include <softscore/backend/concept.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {
struct root_of_number {
  template <class T>
  SOFTSCORE_HD T operator()(T x) const {
    return std::sqrt(x);
  }
};
}  // namespace detail

/// One element of an Adam step, as PyTorch computes it; the corrections for the zero start are computed beforehand.
struct adam_body {
  double beta1, beta2, epsilon;
  double step_size;           // learning_rate / (1 - beta1^k)
  double root_of_correction;  // sqrt(1 - beta2^k)
  double gradient_factor;     // what the gradient is multiplied by first (clipping)

  /// The same with a factor that becomes known later.
  SOFTSCORE_HD adam_body clipped(double factor) const {
    adam_body body = *this;
    body.gradient_factor = factor;
    return body;
  }

  template <class T>
  SOFTSCORE_HD void operator()(T& theta, T& m, T& v, const T& gradient) const {
    on_lanes<T>(detail::root_of_number{}, theta, m, v, gradient);
  }
  /// The same for vectors of numbers; `root(v)` is the square root of each.
  template <class Number, class Root, class T>
  SOFTSCORE_HD void on_lanes(const Root& root, T& theta, T& m, T& v, const T& gradient) const {
    const T g = gradient * static_cast<Number>(gradient_factor);
    m += (g - m) * static_cast<Number>(1 - beta1);
    v = v * static_cast<Number>(beta2) + g * g * static_cast<Number>(1 - beta2);
    const T scale = root(v) / static_cast<Number>(root_of_correction) + static_cast<Number>(epsilon);
    theta -= static_cast<Number>(step_size) * (m / scale);
  }
};

/// An update of a parameter that also updates its moving average in the same pass over memory (optim/ema.hpp).
template <class Update>
struct averaged_body {
  Update update;
  double keep;  // the share of the old average

  SOFTSCORE_HD averaged_body clipped(double factor) const { return {update.clipped(factor), keep}; }

  template <class T>
  SOFTSCORE_HD void operator()(T& theta, T& m, T& v, T& average, const T& gradient) const {
    on_lanes<T>(detail::root_of_number{}, theta, m, v, average, gradient);
  }
  /// The same for vectors of numbers.
  template <class Number, class Root, class T>
  SOFTSCORE_HD void on_lanes(const Root& root, T& theta, T& m, T& v, T& average, const T& gradient) const {
    update.template on_lanes<Number>(root, theta, m, v, gradient);
    average += (theta - average) * static_cast<Number>(1 - keep);
  }
};

/// Adam with the bias correction of its paper. The moments m and v, which start at zero and are as long as the
/// parameters, and the count of steps belong to the caller, who saves and restores them.
struct adam {
  double learning_rate{2e-4}, beta1{0.9}, beta2{0.999}, epsilon{1e-8};

  /// Returns the body of step `number` (from 1 on), with the rate times `rate_factor` (warm-up) and the gradient times
  /// `gradient_factor` (clipping).
  adam_body body(std::uint64_t number, double rate_factor = 1, double gradient_factor = 1) const {
    require(number >= 1, "the number of an Adam step", number, "at least 1");
    const auto k = static_cast<double>(number);
    return {beta1,
            beta2,
            epsilon,
            learning_rate * rate_factor / (1 - std::pow(beta1, k)),
            std::sqrt(1 - std::pow(beta2, k)),
            gradient_factor};
  }

  /// theta, m, v <- one step along `gradient`; all are flat arrays of the same length.
  template <class Be, class T>
  void step(Be& be, std::uint64_t number, out_of<Be, T> theta, out_of<Be, T> m, out_of<Be, T> v, in_of<Be, T> gradient,
            double rate_factor = 1, double gradient_factor = 1) const {
    be.for_each(body(number, rate_factor, gradient_factor), theta, m, v, gradient);
  }

  /// The same, and also average <- keep average + (1 - keep) theta in the same pass.
  template <class Be, class T>
  void step_with_average(Be& be, std::uint64_t number, out_of<Be, T> theta, out_of<Be, T> m, out_of<Be, T> v,
                         out_of<Be, T> average, in_of<Be, T> gradient, double keep, double rate_factor = 1,
                         double gradient_factor = 1) const {
    be.for_each(averaged_body<adam_body>{body(number, rate_factor, gradient_factor), keep}, theta, m, v, average,
                gradient);
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI
