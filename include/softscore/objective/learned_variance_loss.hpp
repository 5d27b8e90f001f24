#pragma once

#include <algorithm>
#include <cstddef>
#include <numbers>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/objective/weighted_residual.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The logarithms of the two variances between which a learned one lies, for the step from t to s: beta, and beta tilde
/// (Nichol and Dhariwal 2021, Eq. 15). The last step, whose beta tilde is 0, uses that of the step before it.
struct variance_range {
  double log_least{}, log_most{};

  /// For a chain of `steps` equal steps; t is i / steps with i >= 1. Throws `error` unless `steps` is at least 2.
  template <ScalarSignal C>
  static variance_range at(const C& c, diffusion_time t, std::size_t steps) {
    require(steps >= 2, "steps", steps, "at least 2 for a learned variance");
    const double width = 1.0 / static_cast<double>(steps);
    // 1 - a_t^2 / a_s^2, and with it beta tilde at the same t.
    const auto beta_at = [&](double time) {
      const double ratio =
          c.signal_gain(diffusion_time{time}) / c.signal_gain(diffusion_time{(std::max)(0.0, time - width)});
      return 1.0 - ratio * ratio;
    };
    const double late = (std::max)(t.value, 2.0 * width), sigma_late = c.sigma(diffusion_time{late}),
                 sigma_early = c.sigma(diffusion_time{late - width});
    const double tilde = beta_at(late) * (sigma_early * sigma_early) / (sigma_late * sigma_late);
    return {std::log(tilde), std::log(beta_at(t.value))};
  }
};

/// DDPM's simple loss together with a bound that trains the variance (Nichol and Dhariwal 2021, Eq. 15 and 16): mean
/// |eps_hat - z|^2 + `share` T L_t. The network's output has twice the channels of the image: eps_hat, then u, and log
/// var = u log beta + (1 - u) log beta_tilde. L_t is the mean over elements of the KL divergence, in nats, between the
/// chain's posterior and the step of the model (at the last step, the negative logarithm of its density). No gradient
/// of L_t flows through eps_hat. Times are i / `steps`.
struct learned_variance_loss {
  static constexpr bool needs_normal_noise = true, needs_scalar_signal = true, needs_epsilon_prediction = true;
  static constexpr std::size_t outputs = 2;
  std::size_t steps{1000};
  double share{0.001};

  template <class A, class Doubles>
  struct scratch {
    A joined;                  // (N,2c,H,W): the error e of eps_hat, then u of every image
    A vectors;                 // (2N,c,H,W), of which the first N are -xi
    A residual, values, ones;  // (N,c,H,W)
    Doubles rules;             // (N,6): the bound of every image
    std::vector<double> host;  // the same, on the host
  };
  template <Scalar T, class Be>
  scratch<array_of<Be, T>, array_of<Be, double>> workspace(Be& be, const shape& most) const {
    shape both = most;
    both.channels *= 2;
    scratch<array_of<Be, T>, array_of<Be, double>> made{be.template make<T>(both),
                                                        be.template make<T>(both),
                                                        be.template make<T>(most),
                                                        be.template make<T>(most),
                                                        be.template make<T>(most),
                                                        be.template make<double>({most.images, 1, 1, bound::numbers}),
                                                        std::vector<double>(most.images * bound::numbers)};
    be.for_each(set_one{}, made.ones.view());
    return made;
  }

  /// Throws `error` unless `phi` has twice the channels of the images.
  template <class Be, class C, class D, class DM, class T, class M>
  void evaluate(Be& be, const C& corruption, const D&, DM&, const corrupted_batch<Be, T>& batch, in_of<Be, T> phi,
                out_of<Be, T> gradient, double* losses, M& memory) const {
    using one = term_of<Be, T>;
    const shape s = batch.clean.extent(), halves = s.with_images(2 * s.images);
    const std::size_t images = s.images, d = s.per_image();
    require(phi.extent().per_image() == 2 * d, "channels of the network's output", phi.extent().channels,
            "twice those of the images where the variance is learned");
    const auto count = static_cast<double>(d), all = count * static_cast<double>(images);
    const auto part = [&](auto& array) { return array.view().images(0, images); };
    const auto residual = part(memory.residual), values = part(memory.values);
    const auto joined = memory.joined.view().slice(0, halves), vectors = memory.vectors.view().slice(0, halves);
    for (std::size_t i = 0; i < images; ++i)
      rule_at(corruption, batch.times[i]).store(&memory.host[i * bound::numbers]);
    be.upload(memory.host.data(), memory.rules.view());
    const view_of<Be, const double> rules = memory.rules.view();
    const per_image<level> no_level{level{}};

    be.combine(vectors.images(0, images), one{-1.0, batch.xi});
    be.each_pixel(before_zeros{}, no_level, vectors, joined);
    be.combine(joined, one{1.0, joined}, one{1.0, phi.slice(0, halves)});
    be.each_pixel(first_half{}, no_level, joined, residual);
    be.each_pixel(value_of{}, no_level, joined, values, rules);
    be.each_pixel(slope_of{all}, no_level, joined, gradient.slice(0, halves), rules);
    be.dot(view_of<Be, const T>(residual), view_of<Be, const T>(residual), losses);
    std::vector<double>& variational = memory.host;
    be.dot(view_of<Be, const T>(values), view_of<Be, const T>(part(memory.ones)), variational.data());
    for (std::size_t i = 0; i < images; ++i) losses[i] = (losses[i] + variational[i]) / count;
  }

 private:
  // L_t of one element, scaled, as a function of u and the error e of eps: half of offset + log var + (tilde + square
  // e^2) / var.
  struct bound {
    static constexpr std::size_t numbers = 6;
    double log_least, width, tilde, offset, square, scale;

    void store(double* to) const {
      for (const double number : {log_least, width, tilde, offset, square, scale}) *to++ = number;
    }
    SOFTSCORE_HD static bound load(const double* from) {
      return {from[0], from[1], from[2], from[3], from[4], from[5]};
    }
    SOFTSCORE_HD double log_variance(double u) const { return log_least + u * width; }
    SOFTSCORE_HD double spread(double u, double e) const {
      return (tilde + square * e * e) * std::exp(-log_variance(u));
    }
  };

  template <class C>
  bound rule_at(const C& corruption, diffusion_time t) const {
    const auto range = variance_range::at(corruption, t, steps);
    const bool last = t.value < 1.5 / static_cast<double>(steps);
    const double beta = std::exp(range.log_most), sigma = corruption.sigma(t);
    return {range.log_least,
            range.log_most - range.log_least,
            last ? 0.0 : std::exp(range.log_least),
            last ? std::log(2.0 * std::numbers::pi) : -1.0 - range.log_least,
            beta * beta / ((1.0 - beta) * sigma * sigma),
            share * static_cast<double>(steps)};
  }

 public:  // for kernels, which can use only public types
  struct set_one {
    template <class T>
    SOFTSCORE_HD void operator()(T& x) const {
      x = T{1};
    }
  };
  // For (2N,c,H,W): image j / 2 if j is even, and 0 if j is odd; `from` is image j.
  struct before_zeros {
    template <class T>
    SOFTSCORE_HD T operator()(level, const shape& s, pixel p, std::size_t j, const T* from) const {
      const T* first = from - j * s.per_image();
      return j % 2 == 0 ? first[j / 2 * s.per_image() + p.offset(s)] : T{};
    }
  };
  // Below, image i of (N,c,H,W) is computed from images 2 i and 2 i + 1, which are e and u; `from` is image i.
  struct first_half {
    template <class T>
    SOFTSCORE_HD T operator()(level, const shape& s, pixel p, std::size_t i, const T* from) const {
      return from[i * s.per_image() + p.offset(s)];
    }
  };
  struct value_of {
    template <class T>
    SOFTSCORE_HD T operator()(level, const shape& s, pixel p, std::size_t i, const T* from, const double* rules) const {
      const bound rule = bound::load(rules + i * bound::numbers);
      const T* const error = from + i * s.per_image() + p.offset(s);
      const auto e = static_cast<double>(*error), u = static_cast<double>(error[s.per_image()]);
      return static_cast<T>(0.5 * rule.scale * (rule.offset + rule.log_variance(u) + rule.spread(u, e)));
    }
  };
  // Here `from` is image j of (2N,c,H,W), and so is the result: the gradient in e, or in u.
  struct slope_of {
    double count;
    template <class T>
    SOFTSCORE_HD T operator()(level, const shape& s, pixel p, std::size_t j, const T* from, const double* rules) const {
      const T* const here = from + p.offset(s);
      if (j % 2 == 0) return static_cast<T>(2.0 / count) * *here;
      const bound rule = bound::load(rules + j / 2 * bound::numbers);
      const auto u = static_cast<double>(*here), e = static_cast<double>(*(here - s.per_image()));
      return static_cast<T>(0.5 * rule.scale * rule.width * (1.0 - rule.spread(u, e)) / count);
    }
  };
};

}  // namespace softscore::inline SOFTSCORE_ABI
