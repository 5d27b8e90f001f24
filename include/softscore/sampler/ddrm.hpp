#pragma once

#include <cstddef>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/sampler/inverse_problem.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

// Stands in for what an operator lacks, so that the compiler reports our sentence and no other.
struct no_singular_values {
  std::span<const double> values() const { return {}; }
  template <class Be, class In, class Out>
  void to_modes(Be&, const In&, const Out&) const {}
  template <class Be, class In, class Out>
  void from_modes(Be&, const In&, const Out&) const {}
  template <class Be, class In, class Out>
  void measurement_to_modes(Be&, const In&, const Out&) const {}
};

template <class Op>
auto singular_parts(const Op& op, level at, const shape& image) {
  if constexpr (HasSvd<Op>)
    return degradation<Op>::svd(op, at, image);
  else
    return no_singular_values{};
}

}  // namespace detail

/// DDRM (Kawar et al. 2022, Eq. 7 and 8) steps each singular mode of A = U diag(s) V^T separately. Here s is the mode's
/// singular value, and the noise of its measurement y = (U^T y) / s is sigma_y / s. If the noise sigma = sigma_s / a_s
/// is above that, the mode is drawn from the measurement, (1 - eta_b) h + eta_b y. If it is below, the mode is drawn
/// from the estimate and the measurement's error, h + sqrt(1 - eta^2) sigma (y - h) s / sigma_y. A mode that is not
/// measured takes DDIM's step with the share eta of fresh noise. Without measurement noise the last step returns y in
/// every measured mode, otherwise h. It requires C = a I; sampling starts from the corruption's distribution, not from
/// y. Modes whose singular value is 0, up to the rounding of the largest, count as not measured.
template <class Op>
class ddrm {
  static_assert(HasSvd<Op>, "softscore: DDRM needs the measurement's singular values, and its operator has none");

 public:
  static constexpr int order = 1, evaluations_per_step = 1;
  static constexpr bool needs_score = true, needs_scalar_signal = true, handles_last_step = true;

  double eta{0.85};   ///< the share of fresh noise
  double eta_b{1.0};  ///< how far a mode moves to its measurement where the measurement is more certain

  /// Throws `error` for shares outside [0, 1] and for a measurement with a negative level or sigma.
  ddrm(measurement<Op> how, observation y, double share = 0.85, double to_measurement = 1.0)
      : eta{share}, eta_b{to_measurement}, how_{std::move(how)}, y_{std::move(y)} {
    how_.check();
    require(eta >= 0.0 && eta <= 1.0, "eta", eta, "between 0 and 1");
    require(eta_b >= 0.0 && eta_b <= 1.0, "eta_b", eta_b, "between 0 and 1");
  }

  template <class R>
  struct scratch {
    using array = decltype(std::declval<R&>().make());
    decltype(detail::singular_parts(std::declval<const Op&>(), level{}, shape{})) parts;
    array values, y, h, x, noise;  // in modes, except that h first holds y in pixels
  };

  template <class R>
  scratch<R> start(R& run) const {
    using T = typename R::value_type;
    auto& be = run.on();
    scratch<R> memory{detail::singular_parts(how_.op, how_.at, run.extent()),
                      run.make(),
                      run.make(),
                      run.make(),
                      run.make(),
                      run.make()};
    const std::span<const double> singular = memory.parts.values();
    double largest = 0.0;
    for (const double s : singular) largest = s > largest ? s : largest;
    const double rounding = 16.0 * static_cast<double>(std::numeric_limits<T>::epsilon()) * largest;
    std::vector<T> values;
    values.reserve(run.extent().size());
    for (std::size_t i = 0; i < run.extent().images; ++i)
      for (const double s : singular) values.push_back(s > rounding ? static_cast<T>(s) : T{});
    be.upload(values.data(), memory.values.view());
    y_.put(be, run.images(), memory.h.view());
    memory.parts.measurement_to_modes(be, memory.h.view(), memory.y.view());
    be.for_each(divide{}, memory.y.view(), memory.values.view());
    return memory;
  }

  template <class R>
  void step(R& run, scratch<R>& memory, const step_at& at, view_in<R> x, view_in<R> h) const {
    auto& be = run.on();
    const auto& c = run.corruption();
    const double sigma_t = c.sigma(at.t), sigma_s = at.last() ? 0.0 : c.sigma(at.s);
    const double kept = sigma_s * std::sqrt(1.0 - eta * eta);
    // Nothing here divides by a gain: there may be no signal at t, or at s.
    const mode_step rule{how_.sigma,
                         sigma_s,
                         at.last() ? 1.0 : c.signal_gain(at.s),
                         c.signal_gain(at.t),
                         sigma_t > 0.0 ? kept / sigma_t : 0.0,
                         kept,
                         eta * sigma_s,
                         eta_b};
    memory.parts.to_modes(be, x, memory.x.view());
    memory.parts.to_modes(be, h, memory.h.view());
    run.normal(at, memory.noise.view());
    be.for_each(rule, memory.x.view(), memory.h.view(), memory.y.view(), memory.noise.view(), memory.values.view());
    memory.parts.from_modes(be, memory.x.view(), x);
  }

 public:  // for kernels, which can use only public types
  struct divide {
    template <class T>
    SOFTSCORE_HD void operator()(T& y, const T& s) const {
      y = s > T{} ? y / s : T{};
    }
  };
  // Steps one mode of x from its value at t to its value at s.
  struct mode_step {
    double sigma_y, sigma_s, a_s, a_t, of_rest, of_distance, fresh, eta_b;
    template <class T>
    SOFTSCORE_HD void operator()(T& x, const T& h, const T& y, const T& z, const T& s) const {
      const double of_h = static_cast<double>(h), of_y = static_cast<double>(y), value = static_cast<double>(s);
      const double noise = value > 0.0 ? sigma_y / value : 0.0;
      const double from_estimate = a_s * of_h + of_rest * (static_cast<double>(x) - a_t * of_h);
      const double between = a_s * of_h + (noise > 0.0 ? of_distance / noise * (of_y - of_h) : 0.0);
      const double near = a_s * ((1.0 - eta_b) * of_h + eta_b * of_y);
      const double left = sigma_s * sigma_s - eta_b * eta_b * a_s * a_s * noise * noise;
      const bool sure = value > 0.0 && sigma_s >= a_s * noise;
      const double mean = value > 0.0 ? (sure ? near : between) : from_estimate;
      const double spread = sure ? std::sqrt(left > 0.0 ? left : 0.0) : fresh;
      x = static_cast<T>(mean + spread * static_cast<double>(z));
    }
  };

 private:
  measurement<Op> how_;
  observation y_;
};
static_assert(Sampler<ddrm<identity>, archetype_run>);

}  // namespace softscore::inline SOFTSCORE_ABI
