#pragma once

#include <cstdint>

#include <softscore/backend/concept.hpp>
#include <softscore/core/config.hpp>
#include <softscore/optim/adam.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// One element of an AdamW step, as PyTorch computes it: the parameter is reduced, then Adam's step is taken.
struct adamw_body {
  adam_body update;
  double shrink;  // 1 - learning_rate weight_decay

  SOFTSCORE_HD adamw_body clipped(double factor) const { return {update.clipped(factor), shrink}; }

  template <class T>
  SOFTSCORE_HD void operator()(T& theta, T& m, T& v, const T& gradient) const {
    on_lanes<T>(detail::root_of_number{}, theta, m, v, gradient);
  }
  /// The same for vectors of numbers.
  template <class Number, class Root, class T>
  SOFTSCORE_HD void on_lanes(const Root& root, T& theta, T& m, T& v, const T& gradient) const {
    theta *= static_cast<Number>(shrink);
    update.template on_lanes<Number>(root, theta, m, v, gradient);
  }
};

/// Adam with decoupled weight decay (Loshchilov and Hutter 2019, Algorithm 2): a step also multiplies the parameters by
/// 1 - learning_rate weight_decay, which affects neither the moments nor clipping. Weight decay follows the schedule of
/// the learning rate.
struct adamw {
  double learning_rate{2e-4}, beta1{0.9}, beta2{0.999}, epsilon{1e-8}, weight_decay{0.01};

  /// Returns the body of step `number` (from 1 on), with the rate times `rate_factor` and the gradient times
  /// `gradient_factor`.
  adamw_body body(std::uint64_t number, double rate_factor = 1, double gradient_factor = 1) const {
    return {adam{learning_rate, beta1, beta2, epsilon}.body(number, rate_factor, gradient_factor),
            1 - learning_rate * rate_factor * weight_decay};
  }

  /// theta, m, v <- one step along `gradient`; all are flat arrays of the same length.
  template <class Be, class T>
  void step(Be& be, std::uint64_t number, out_of<Be, T> theta, out_of<Be, T> m, out_of<Be, T> v, in_of<Be, T> gradient,
            double rate_factor = 1, double gradient_factor = 1) const {
    be.for_each(body(number, rate_factor, gradient_factor), theta, m, v, gradient);
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI
