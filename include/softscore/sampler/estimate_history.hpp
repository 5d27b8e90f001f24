#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <utility>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/sampler/concept.hpp>
#include <softscore/sampler/multistep_weights.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// The last estimates of a run and the values of lambda = log(a / sigma) at which they were made, the newest first.
// Without signal lambda is infinite, and earlier estimates are dropped.
template <class R>
struct estimate_history {
  std::array<decltype(std::declval<R&>().make()), 3> h;
  std::array<double, 3> lambda{};
  std::size_t known{};

  explicit estimate_history(R& run) : h{run.make(), run.make(), run.make()} {}

  // On a plateau of the schedule x and lambda stay the same up to rounding, and so do the estimates.
  void add(R& run, double at, const_view_in<R> estimate) {
    if (known == 0 || !same_half_log_snr(at, lambda[0])) {
      std::rotate(h.begin(), h.begin() + 2, h.end());
      std::rotate(lambda.begin(), lambda.begin() + 2, lambda.end());
      known = std::min<std::size_t>(known + 1, 3);
    }
    run.on().combine(h[0].view(), term<typename R::value_type, typename R::backend::space>{1.0, estimate});
    lambda[0] = at;
    if (!std::isfinite(at)) known = 0;
  }

  // The weights of the newest `count` estimates for a step of `length` in lambda from the newest: those of the
  // polynomial through them. `damped` is the exponent of the whole step; on an ODE it is the length itself.
  std::array<double, 4> weights(double length, std::size_t count, double damped) const {
    std::array<double, 3> nodes{};
    for (std::size_t j = 0; j < count; ++j) nodes[j] = (lambda[j] - lambda[0]) / length;
    return multistep_weights(damped, std::span<const double>{nodes}.first(count));
  }
  std::array<double, 4> weights(double length, std::size_t count) const { return weights(length, count, length); }

  // out = keep x + scale (the weighted sum of the newest `count` estimates).
  void advance(R& run, view_in<R> out, double keep, const_view_in<R> x, double scale,
               const std::array<double, 4>& weights, std::size_t count) {
    using one = term<typename R::value_type, typename R::backend::space>;
    const one base{keep, x}, newest{scale * weights[0], h[0].view()};
    if (count == 1)
      run.on().combine(out, base, newest);
    else if (count == 2)
      run.on().combine(out, base, newest, one{scale * weights[1], h[1].view()});
    else
      run.on().combine(out, base, newest, one{scale * weights[1], h[1].view()}, one{scale * weights[2], h[2].view()});
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
