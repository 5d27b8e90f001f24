// Two samplers: a rule for (c, n) in five lines, and a step of its own for a method that is not of that form.
#include <algorithm>
#include <cmath>
#include <iostream>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/sampler/archetype.hpp>
#include <softscore/sampler/integrate.hpp>
#include <softscore/sampler/one_evaluation.hpp>

#include "gray_pixels.hpp"

// begin rule
/// Between the probability flow (heat 0), which adds no noise, and the reverse SDE of `momentum` (heat 1). It keeps the
/// marginals in the limit of many steps, as those two do.
struct warm_flow : softscore::one_evaluation<warm_flow> {
  double heat{0.5};

  template <class C>
  softscore::step_weights weights(const C& c, const softscore::step_at& at) const {
    const double sigma_t = c.sigma(at.t), sigma_s = c.sigma(at.s);
    const double lost = 1.0 - softscore::noise_ratio(sigma_t, sigma_s);  // of the variance, in this step
    return {1.0 - 0.5 * (1.0 + heat) * lost, std::sqrt(heat * (sigma_t - sigma_s) * (sigma_t + sigma_s))};
  }
};
static_assert(softscore::Sampler<warm_flow, softscore::archetype_run>);
// end rule

// begin step
/// DDIM with a look back: x_s = C_s g + (sigma_s / sigma_t)(x_t - C_t g), where g = h + (h - h_before) / 2 from the
/// second step on. If all steps have the same ratio sigma_s / sigma_t, it is the exponential multistep method of order
/// 2; otherwise its order is 1.
struct look_back_ddim {
  static constexpr int order = 1, evaluations_per_step = 1;
  static constexpr bool needs_score = true;

  template <class Array>
  struct memory {
    Array before, g, now, next;
  };
  template <class R>
  auto start(R& run) const {
    return memory<decltype(run.make())>{run.make(), run.make(), run.make(), run.make()};
  }
  template <class R, class M>
  void step(R& run, M& m, const softscore::step_at& at, softscore::view_in<R> x, softscore::view_in<R> h) const {
    using softscore::term;
    auto& be = run.on();
    const double more = at.index == 0 ? 0.0 : 0.5;
    be.combine(m.g.view(), term{1.0 + more, h}, term{-more, m.before.view()});
    be.combine(m.before.view(), term{1.0, h});
    const double sigma_t = run.corruption().sigma(at.t), sigma_s = run.corruption().sigma(at.s);
    const double keep = sigma_t == sigma_s ? 1.0 : sigma_s / sigma_t;
    run.signal(at.t, m.g.view(), m.now.view());
    run.signal(at.s, m.g.view(), m.next.view());
    be.combine(x, term{1.0, m.next.view()}, term{keep, x}, term{-keep, m.now.view()});
  }
};
static_assert(softscore::Sampler<look_back_ddim, softscore::archetype_run>);
// end step

namespace {

// The variance of a quarter of a million samples of data with variance 1/4, drawn in that many steps.
template <class S>
double variance_after(const S& sampler, std::size_t steps) {
  using namespace softscore;
  serial_backend be;
  const corruption noise{identity{}, variance_exploding{.sigma_min = 0.01, .sigma_max = 20.0}};
  const auto grid = uniform_grid(steps);
  return mean_square(integrate(be, sampler, noise, gray_pixels{noise}, grid,
                               draw_start<float>(be, noise, grid, {1, 1, 50, 50}, {0, 100}, 3), 3));
}

}  // namespace

int main() {
  const double warm = variance_after(warm_flow{}, 100), look_back = variance_after(look_back_ddim{}, 100);
  std::cout << "variance of the data 0.25, of warm_flow " << warm << ", of look_back_ddim " << look_back << '\n';
  // Five standard errors of a variance of 250,000 samples are 0.0036. After 100 steps the method of order 1 has an
  // error of 12 %, and that of order 2 of 0.1 %.
  return std::abs(warm - 0.25) < 0.0036 + 0.13 * 0.25 && std::abs(look_back - 0.25) < 0.0036 + 0.002 * 0.25 ? 0 : 1;
}
