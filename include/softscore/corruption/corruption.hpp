#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/pooled_array.hpp>
#include <softscore/corruption/at_each_time.hpp>
#include <softscore/corruption/concept.hpp>
#include <softscore/corruption/prior.hpp>
#include <softscore/corruption/scheduled_operator.hpp>
#include <softscore/operator/concept.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// x_t = C_{w(t)} x_0 + sigma(t) z with z standard normal. It consists of an operator family, a schedule that gives the
/// level w of the operator and the standard deviation sigma of the noise at every time, and the distribution of what is
/// left of the image at the start of sampling (Daras et al. 2022, Eq. 4).
template <class Op, class S, Prior P = nothing_left>
class corruption : public scheduled_operator<Op, S> {
  static_assert(
      Schedule<S>,
      "softscore: this schedule lacks the level or the noise at a time; background_corruption needs no noise");

  using base = scheduled_operator<Op, S>;

 public:
  using distribution = standard_normal;

  /// Throws what the schedule's `check` throws, and for a level that the operator does not have.
  corruption(Op op, S path, P prior = {}) : base{std::move(op), std::move(path)}, prior_{std::move(prior)} {
    base::check();
  }

  using base::level_at, base::linear_operator, base::schedule;
  const P& prior() const { return prior_; }

  double sigma(diffusion_time t) const { return schedule().sigma_at(t); }
  /// a_t, for an operator that is a number times the identity.
  double signal_gain(diffusion_time t) const
    requires ScalarOperator<Op>
  {
    return degradation<Op>::gain(linear_operator(), schedule().level_at(t));
  }
  /// d a_t / dt, if operator and schedule know their derivatives.
  double signal_gain_rate(diffusion_time t) const
    requires DifferentiableGain<Op> && DifferentiableSchedule<S>
  {
    if constexpr (GivesGainRate<S> && requires { requires Op::exponential_gain; })
      return schedule().gain_rate_at(t);
    else
      return degradation<Op>::gain_derivative(linear_operator(), schedule().level_at(t)) * schedule().level_rate_at(t);
  }
  /// d sigma / dt.
  double sigma_rate(diffusion_time t) const
    requires DifferentiableSchedule<S>
  {
    return schedule().sigma_rate_at(t);
  }
  /// lambda_t = log(a_t^2 / sigma_t^2), infinite where there is no noise or no signal.
  double log_snr(diffusion_time t) const
    requires ScalarOperator<Op>
  {
    return 2.0 * (std::log(signal_gain(t)) - std::log(sigma(t)));
  }
  /// The time at which `log_snr` is `lambda`, exact to the last bit of the time. Throws `error` unless it lies between
  /// the log-SNR of time 1 and that of time 0.
  diffusion_time time_of_log_snr(double lambda) const
    requires ScalarOperator<Op>
  {
    double early = 0.0, late = 1.0;
    const double most = log_snr(diffusion_time{early}), least = log_snr(diffusion_time{late});
    require(lambda >= least && lambda <= most, "log-SNR", lambda, "between that of time 1 and that of time 0");
    if (lambda == most || lambda == least) return diffusion_time{lambda == most ? early : late};
    for (double middle = 0.5; middle != early && middle != late; middle = 0.5 * (early + late))
      (log_snr(diffusion_time{middle}) > lambda ? early : late) = middle;
    return diffusion_time{late};
  }

  /// Stores (dC_t/dt) x, if operator and schedule know their derivatives: dC_w/dw at the image's level, times the
  /// level's rate.
  template <class Be, Scalar T>
  void signal_derivative(Be& be, per_image<diffusion_time> times, in_of<Be, T> x, out_of<Be, T> out) const
    requires DifferentiableInLevel<Op, Be, T> && DifferentiableSchedule<S>
  {
    detail::pooled_array<level> buffer;
    detail::pooled_array<double> rates;
    degradation<Op>::derivative(linear_operator(), be, this->levels(times, x.extent().images, buffer), x, out);
    const auto rate = detail::at_each_time<double>(times, out.extent().images, rates,
                                                   [&](diffusion_time t) { return schedule().level_rate_at(t); });
    be.combine(out, term_of<Be, T>{rate, out});
  }

  template <class Be, Scalar T>
  void corrupt(Be& be, per_image<diffusion_time> times, in_of<Be, T> clean, in_of<Be, T> xi, out_of<Be, T> out) const {
    detail::pooled_array<double> buffer;
    this->signal(be, times, clean, out);
    const auto sigmas = detail::at_each_time<double>(times, out.extent().images, buffer,
                                                     [&](diffusion_time t) { return schedule().sigma_at(t); });
    be.combine(out, term{1.0, out}, term_of<Be, T>{sigmas, xi});
  }

  template <class Be, Scalar T>
  void draw_xi(Be& be, noise_key key, image_range images, out_of<Be, T> xi) const {
    be.normal(key, images, xi);
  }

  template <class Be, Scalar T>
  void start(Be& be, diffusion_time t, std::uint64_t seed, image_range images, out_of<Be, T> x,
             out_of<Be, T> xi) const {
    draw_xi(be, noise_key{.seed = seed, .stream = noise_stream::start}, images, xi);
    if (prior_.zero()) {
      be.combine(x, term{sigma(t), xi});
      return;
    }
    const std::size_t elements = x.extent().per_image();
    std::vector<double> image(elements);
    std::vector<T> all(x.size());
    for (std::size_t i = 0; i < images.count; ++i) {
      prior_.draw(seed, images.first + i, x.extent(), image);
      for (std::size_t k = 0; k < elements; ++k) all[i * elements + k] = static_cast<T>(image[k]);
    }
    be.upload(all.data(), x);
    be.combine(x, term{1.0, x}, term{sigma(t), xi});
  }

 private:
  P prior_;
};

}  // namespace softscore::inline SOFTSCORE_ABI
