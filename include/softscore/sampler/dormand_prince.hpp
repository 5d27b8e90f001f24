#pragma once

#include <algorithm>
#include <array>
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
#include <softscore/sampler/flow_slope.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Dormand and Prince's method of order 5 with control of the error, on the probability-flow ODE in time (Dormand and
/// Prince 1980, RK5(4)7M; Daras et al. 2022, Appendix B.1). It divides a step of the grid until the estimated error of
/// every part is below absolute + relative |x|, in the root mean square over an image. Each image is divided
/// independently, so the result does not depend on how images are batched. The evaluations counted are those of the
/// image that needed most. The ODE ends above time 0: the step that ends at 0 returns h.
struct dormand_prince {
  static constexpr int order = 5, evaluations_per_step = 7;
  static constexpr bool needs_score = true, needs_derivative = true;

  double relative{1e-4}, absolute{1e-4};
  double longest{0.1};  ///< the longest part in time: the estimate may miss what happens inside a longer one

  dormand_prince() = default;
  /// Throws `error` unless both tolerances and the longest part are above 0.
  explicit dormand_prince(double relative_error, double absolute_error = 1e-4, double longest_part = 0.1)
      : relative{relative_error}, absolute{absolute_error}, longest{longest_part} {
    require(relative > 0.0 && std::isfinite(relative), "relative", relative, "above 0 and finite");
    require(absolute > 0.0 && std::isfinite(absolute), "absolute", absolute, "above 0 and finite");
    require(longest > 0.0, "longest", longest, "above 0");
  }

  /// Throws `error` for a grid whose only step ends at time 0: that step would return h and leave nothing to integrate.
  void check(const time_grid& grid) const {
    require(grid.steps() > 1 || grid.end().value > 0.0, "number of steps", grid.steps(),
            "at least 2 for dormand_prince where the grid ends at time 0");
  }

  template <class R>
  struct scratch {
    detail::flow_slope<R> slope;
    std::vector<decltype(std::declval<R&>().make())> slopes;
    decltype(std::declval<R&>().make()) ahead, h_ahead, error;
    std::vector<double> now, length, proposed, wrong, taken, left;
    std::vector<diffusion_time> times;
    std::array<std::vector<double>, 7> scaled;  // by stage
    std::vector<per_image<double>> coefficients;
  };

  template <class R>
  scratch<R> start(R& run) const {
    const std::size_t n = run.extent().images;
    const std::vector<double> none(n, 0.0);
    scratch<R> memory{detail::flow_slope<R>{run},
                      {},
                      run.make(),
                      run.make(),
                      run.make(),
                      none,
                      none,
                      std::vector<double>(n, longest),
                      none,
                      none,
                      none,
                      std::vector<diffusion_time>(n),
                      {},
                      {}};
    memory.slopes.reserve(stages);
    for (std::size_t j = 0; j < stages; ++j) memory.slopes.push_back(run.make());
    for (auto& each : memory.scaled) each = none;
    memory.coefficients.assign(stages, per_image<double>{0.0});
    return memory;
  }

  /// Throws `error` if the tolerance of an image is below the rounding of its numbers, if the error is not finite, and
  /// if the error requires more than 10,000 parts, or parts too short for the floating-point numbers of the time.
  template <class R>
  void step(R& run, scratch<R>& memory, const step_at& at, view_in<R> x, view_in<R> h) const {
    auto& be = run.on();
    using one = term<typename R::value_type, typename R::backend::space>;
    const std::size_t images = run.extent().images;
    const double elements = static_cast<double>(run.extent().per_image());
    const auto ahead = memory.ahead.view(), h_ahead = memory.h_ahead.view(), error = memory.error.view();
    require_tolerance(run, memory, x);
    memory.slope(run, at.t, x, h, memory.slopes[0].view());
    for (double& t : memory.now) t = at.t.value;
    for (std::size_t parts = 0;; ++parts) {
      bool all_there = true;
      for (std::size_t i = 0; i < images; ++i) {
        const double rest = memory.now[i] - at.s.value;
        // An image that has arrived waits, with parts of length 0; an image that has nearly arrived goes all the way.
        memory.length[i] = memory.proposed[i] > 0.999 * rest ? rest : memory.proposed[i];
        all_there = all_there && rest == 0.0;
      }
      if (all_there) return;
      require(parts < most_parts, "number of parts of a step", parts, "below 10000; the tolerance cannot be met");
      for (std::size_t j = 1; j < stages; ++j) {
        weigh(memory, rows[j], j);
        detail::add_up(run, ahead, x, memory.coefficients, j, memory.slopes);
        for (std::size_t i = 0; i < images; ++i) {
          const double t = memory.now[i] - nodes[j] * memory.length[i];
          memory.times[i].value = nodes[j] == 1.0 && memory.length[i] == memory.now[i] - at.s.value ? at.s.value : t;
        }
        const per_image<diffusion_time> times = each_of(memory.times);
        run.estimate(times, ahead, h_ahead);
        memory.slope(run, times, ahead, h_ahead, memory.slopes[j].view());
      }
      // The last stage is at the new x, so `ahead` is the step, and its slope is the first one of the next part.
      weigh(memory, difference, stages);
      be.combine(error, one{0.0, x});
      detail::add_up(run, error, error, memory.coefficients, memory.coefficients.size(), memory.slopes);
      be.for_each(in_units{absolute, relative}, error, const_view_in<R>{x}, const_view_in<R>{ahead});
      be.dot(const_view_in<R>{error}, const_view_in<R>{error}, memory.wrong.data());
      for (std::size_t i = 0; i < images; ++i) decide(memory, i, std::sqrt(memory.wrong[i] / elements), at);
      const per_image<double> taken = each_of(memory.taken), left = each_of(memory.left);
      be.combine(x, one{left, x}, one{taken, ahead});
      be.combine(memory.slopes[0].view(), one{left, memory.slopes[0].view()}, one{taken, memory.slopes[6].view()});
    }
  }

 private:
  static constexpr std::size_t stages = 7, most_parts = 10000;
  using row = std::array<double, stages>;
  static constexpr row nodes{0.0, 1.0 / 5, 3.0 / 10, 4.0 / 5, 8.0 / 9, 1.0, 1.0};
  static constexpr std::array<row, stages> rows{
      {{},
       {1.0 / 5},
       {3.0 / 40, 9.0 / 40},
       {44.0 / 45, -56.0 / 15, 32.0 / 9},
       {19372.0 / 6561, -25360.0 / 2187, 64448.0 / 6561, -212.0 / 729},
       {9017.0 / 3168, -355.0 / 33, 46732.0 / 5247, 49.0 / 176, -5103.0 / 18656},
       {35.0 / 384, 0.0, 500.0 / 1113, 125.0 / 192, -2187.0 / 6784, 11.0 / 84}}};
  // Fifth order minus fourth.
  static constexpr row difference{71.0 / 57600,      0.0,        -71.0 / 16695, 71.0 / 1920,
                                  -17253.0 / 339200, 22.0 / 525, -1.0 / 40};

 public:  // for kernels, which can use only public types
  struct in_units {
    double absolute, relative;
    template <class T>
    SOFTSCORE_HD void operator()(T& error, const T& from, const T& to) const {
      const T a = from < 0 ? -from : from, b = to < 0 ? -to : to;
      error /= static_cast<T>(absolute) + static_cast<T>(relative) * (a < b ? b : a);
    }
  };

 private:
  // Below the rounding of x an error is noise, and shorter parts do not reduce it.
  template <class R, class M>
  void require_tolerance(R& run, M& memory, view_in<R> x) const {
    const auto rounding = static_cast<double>(std::numeric_limits<typename R::value_type>::epsilon());
    const auto elements = static_cast<double>(run.extent().per_image());
    run.on().dot(const_view_in<R>{x}, const_view_in<R>{x}, memory.wrong.data());
    for (const double square : memory.wrong) {
      const double size = std::sqrt(square / elements), tolerance = absolute + relative * size;
      if (tolerance >= rounding * size) continue;
      reject("tolerance of the error of an image", tolerance,
             "at least " + detail::shown(rounding * size) + ", the rounding of its numbers");
    }
  }

  // Time falls, so a part of length l adds -l times the slopes.
  template <class M>
  static void weigh(M& memory, const row& weights, std::size_t count) {
    for (std::size_t k = 0; k < count; ++k) {
      if (weights[k] == 0.0) {
        memory.coefficients[k] = per_image<double>{0.0};
        continue;
      }
      for (std::size_t i = 0; i < memory.length.size(); ++i) memory.scaled[k][i] = -memory.length[i] * weights[k];
      memory.coefficients[k] = each_of(memory.scaled[k]);
    }
  }

  // Accepts the part or not, and proposes the next length from the error, which is proportional to its fifth power.
  template <class M>
  void decide(M& memory, std::size_t i, double wrong, const step_at& at) const {
    require(std::isfinite(wrong), "error of a part of a step", wrong, "finite");
    const bool take = wrong <= 1.0;
    memory.taken[i] = take ? 1.0 : 0.0;
    memory.left[i] = take ? 0.0 : 1.0;
    if (memory.length[i] == 0.0) return;
    const double factor = wrong == 0.0 ? 5.0 : std::clamp(0.9 * std::pow(wrong, -0.2), 0.2, take ? 5.0 : 1.0);
    const bool arrives = memory.length[i] == memory.now[i] - at.s.value;
    if (take) memory.now[i] = arrives ? at.s.value : memory.now[i] - memory.length[i];
    // A part that the end of the grid's step cut short says little about the next one.
    const double next = (std::min)(longest, factor * memory.length[i]);
    memory.proposed[i] = take && arrives ? (std::max)(memory.proposed[i], next) : next;
    require(memory.proposed[i] > 1e-12, "length of a part of a step", memory.proposed[i],
            "above 1e-12; the tolerance cannot be met");
  }
};
static_assert(Sampler<dormand_prince, archetype_run>);

}  // namespace softscore::inline SOFTSCORE_ABI
