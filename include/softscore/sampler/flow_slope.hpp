#pragma once

#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/number_text.hpp>
#include <softscore/sampler/archetype.hpp>
#include <softscore/sampler/concept.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// sigma' / sigma, which is 0 where there is no noise and none is added.
template <class C>
double relative_noise_rate(const C& c, diffusion_time t) {
  const double rate = c.sigma_rate(t);
  return rate == 0.0 ? 0.0 : rate / c.sigma(t);
}

// The slope of the flow divides the rounding of x by the noise. So a step must not be so long, relative to the time in
// which that noise vanishes, that numbers of type T cannot resolve the slope.
template <class T, class C>
void require_slope(const C& c, diffusion_time t, double length) {
  const double times = std::abs(length * relative_noise_rate(c, t));
  if (!(times * static_cast<double>(std::numeric_limits<T>::epsilon()) < 1.0))
    reject("length of a step times the rate of sigma over sigma, at time " + shown(t.value) + ",", times,
           "so small that the state's numbers show the slope");
}

// The right-hand side of the probability-flow ODE in time (Daras et al. 2022, Eq. 19): dx/dt = C'_t h + (sigma'_t /
// sigma_t)(x - C_t h), for images that may have different times. It holds all memory that it writes to, so that a step
// does not allocate.
template <class R>
class flow_slope {
 public:
  explicit flow_slope(R& run) : now_{run.make()}, of_x_(run.extent().images), of_h_(run.extent().images) {}

  void operator()(R& run, per_image<diffusion_time> times, const_view_in<R> x, const_view_in<R> h, view_in<R> out) {
    auto& be = run.on();
    const auto& c = run.corruption();
    using one = term<typename R::value_type, typename R::backend::space>;
    const std::size_t values = times.shared() ? 1 : of_x_.size();
    for (std::size_t i = 0; i < values; ++i) of_x_[i] = relative_noise_rate(c, times[i]);
    if constexpr (DifferentiableScalarSignal<typename R::corruption_type>) {
      for (std::size_t i = 0; i < values; ++i)
        of_h_[i] = c.signal_gain_rate(times[i]) - of_x_[i] * c.signal_gain(times[i]);
      be.combine(out, one{each(of_h_, times.shared()), h}, one{each(of_x_, times.shared()), x});
    } else {
      for (std::size_t i = 0; i < values; ++i) of_h_[i] = -of_x_[i];
      run.signal_derivative(times, h, out);
      run.signal(times, h, now_.view());
      be.combine(out, one{1.0, out}, one{each(of_x_, times.shared()), x},
                 one{each(of_h_, times.shared()), now_.view()});
    }
  }

 private:
  static per_image<double> each(const std::vector<double>& values, bool shared) {
    return shared ? per_image<double>{values[0]} : each_of(values);
  }

  decltype(std::declval<R&>().make()) now_;
  std::vector<double> of_x_, of_h_;
};

// out = x + the sum of the first `count` coefficients[j] arrays[j], in passes of at most four terms. A coefficient that
// is 0 for the whole batch is skipped.
template <class R, class Coefficients, class Arrays>
void add_up(R& run, view_in<R> out, const_view_in<R> x, const Coefficients& coefficients, std::size_t count,
            Arrays& arrays) {
  using one = term<typename R::value_type, typename R::backend::space>;
  auto& be = run.on();
  one base{1.0, x};
  std::size_t j = 0;
  const auto more = [&] {
    while (j < count && coefficients[j].shared() && coefficients[j][0] == 0.0) ++j;
    return j < count;
  };
  const auto take = [&] {
    const one each{coefficients[j], arrays[j].view()};
    ++j;
    return each;
  };
  if (!more()) be.combine(out, base);
  while (more()) {
    const one a = take();
    if (!more()) {
      be.combine(out, base, a);
      return;
    }
    const one b = take();
    if (!more()) {
      be.combine(out, base, a, b);
      return;
    }
    be.combine(out, base, a, b, take());
    base = one{1.0, out};
  }
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
