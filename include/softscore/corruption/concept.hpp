#pragma once

#include <concepts>
#include <cstdint>

#include <softscore/backend/archetype.hpp>
#include <softscore/backend/concept.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/noise.hpp>
#include <softscore/core/quantity.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The distribution of xi. No syntax can express it, so a corruption declares it as its member type `distribution`.
/// Standard normal: x_t has a score.
struct standard_normal {
  static constexpr bool has_score = true, known_to_sampler = false;
};
/// One background per image that the sampler knows (cold diffusion): x_t has no score.
struct fixed_background {
  static constexpr bool has_score = false, known_to_sampler = true;
};

/// `schedule.level_at(t)` is the operator's level at time t; it never falls with t.
template <class S>
concept LevelSchedule = requires(const S s, diffusion_time t) {
  { s.level_at(t) } -> std::same_as<level>;
};

/// `schedule.sigma_at(t)` is the standard deviation of the noise at time t; it never falls with t.
template <class S>
concept NoiseSchedule = requires(const S s, diffusion_time t) {
  { s.sigma_at(t) } -> std::same_as<double>;
};

/// `schedule.level_rate_at(t)` and `schedule.sigma_rate_at(t)` are the derivatives of level and noise with respect to
/// time: the schedule is smooth in time. Optional: methods that integrate in time itself need it.
template <class S>
concept DifferentiableSchedule = requires(const S s, diffusion_time t) {
  { s.level_rate_at(t) } -> std::same_as<double>;
  { s.sigma_rate_at(t) } -> std::same_as<double>;
};

/// `schedule.gain_rate_at(t)` is the derivative of exp(-level) with respect to time. It is finite even where the signal
/// ends and the level is infinite. Optional, for schedules of the operator `scaling`.
template <class S>
concept GivesGainRate = requires(const S s, diffusion_time t) {
  { s.gain_rate_at(t) } -> std::same_as<double>;
};

/// Maps a time to a level and a noise. Models: beta_table and its kinds, cosine, sigmoid_gain, log_snr_schedule,
/// variance_preserving, sub_variance_preserving, flow_matching, variance_exploding, karras_sigma, two_stage,
/// simultaneous, tabulated.
template <class S>
concept Schedule = LevelSchedule<S> && NoiseSchedule<S>;

/// `schedule.check()` throws for invalid parameters; the constructor of a corruption calls it. Optional.
template <class S>
concept ChecksParameters = requires(const S s) { s.check(); };

template <class C>
concept DeclaresDistribution = requires {
  { C::distribution::has_score } -> std::convertible_to<bool>;
  { C::distribution::known_to_sampler } -> std::convertible_to<bool>;
};

/// `c.signal(be, times, x, out)` stores C_t x, `c.signal_adjoint` its transpose.
template <class C, class Be, class T>
concept AppliesSignal =
    requires(const C c, Be& be, per_image<diffusion_time> times, view_of<Be, const T> x, view_of<Be, T> out) {
      c.signal(be, times, x, out);
      c.signal_adjoint(be, times, x, out);
    };

/// `c.corrupt(be, times, x_0, xi, out)` stores x_t = C_t x_0 + N_t xi.
template <class C, class Be, class T>
concept CorruptsImages =
    requires(const C c, Be& be, per_image<diffusion_time> times, view_of<Be, const T> clean, view_of<Be, const T> xi,
             view_of<Be, T> out) { c.corrupt(be, times, clean, xi, out); };

/// `c.draw_xi(be, key, images, xi)` draws xi; `c.start(be, t, seed, images, x, xi)` draws x_t at the start of sampling
/// together with the xi in it.
template <class C, class Be, class T>
concept DrawsStart = requires(const C c, Be& be, diffusion_time t, std::uint64_t seed, image_range images,
                              view_of<Be, T> x, view_of<Be, T> xi) {
  c.draw_xi(be, noise_key{}, images, xi);
  c.start(be, t, seed, images, x, xi);
};

/// x_t = C_t x_0 + N_t xi on backend `Be` for elements `T`. Models: corruption, background_corruption.
template <class C, class Be = archetype_backend, class T = float>
concept Corruption =
    DeclaresDistribution<C> && AppliesSignal<C, Be, T> && CorruptsImages<C, Be, T> && DrawsStart<C, Be, T>;

/// xi is standard normal.
template <class C>
concept HasNormalNoise = DeclaresDistribution<C> && C::distribution::has_score;

/// `c.sigma(t)`: the noise is sigma times xi.
template <class C>
concept HasSigma = requires(const C c, diffusion_time t) {
  { c.sigma(t) } -> std::same_as<double>;
};

/// x_t = C_t x_0 + sigma_t z with z standard normal: the corruptions that have a score.
template <class C>
concept GaussianCorruption = HasNormalNoise<C> && HasSigma<C>;

/// The sampler may use the xi of each image.
template <class C>
concept BackgroundCorruption = DeclaresDistribution<C> && C::distribution::known_to_sampler;

/// `c.signal_gain(t)` is the number a_t for which C_t = a_t I.
template <class C>
concept ScalarSignal = requires(const C c, diffusion_time t) {
  { c.signal_gain(t) } -> std::same_as<double>;
};

/// `c.signal_derivative(be, times, x, out)` stores (dC_t/dt) x, and `c.sigma_rate(t)` is d sigma / dt: the corruption
/// is smooth in time. Optional.
template <class C, class Be = archetype_backend, class T = float>
concept DifferentiableSignal = requires(const C c, Be& be, per_image<diffusion_time> times, diffusion_time t,
                                        view_of<Be, const T> x, view_of<Be, T> out) {
  c.signal_derivative(be, times, x, out);
  { c.sigma_rate(t) } -> std::same_as<double>;
};

/// `c.signal_gain_rate(t)` is d a_t / dt for C_t = a_t I. Optional.
template <class C>
concept DifferentiableScalarSignal = ScalarSignal<C> && requires(const C c, diffusion_time t) {
  { c.signal_gain_rate(t) } -> std::same_as<double>;
};

}  // namespace softscore::inline SOFTSCORE_ABI
