#pragma once

#include <algorithm>
#include <cstddef>
#include <numbers>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/objective/weighted_residual.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The logarithms of the two variances between which a learned one lies, for the step that ends at s and begins at t:
/// beta, and beta tilde (Nichol and Dhariwal 2021, Eq. 15). At the last step, whose beta tilde is 0, that of the step
/// before is taken.
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
/// chain's posterior and the step of the model (at the last step the negative logarithm of its density); no gradient
/// runs through eps_hat in it. Times are i / `steps`.
struct learned_variance_loss {
  static constexpr bool needs_normal_noise = true, needs_scalar_signal = true, needs_epsilon_prediction = true;
  static constexpr std::size_t outputs = 2;
  std::size_t steps{1000};
  double share{0.001};

  template <class A>
  struct scratch {
    A residual, values, ones;  // one image each
  };
  template <Scalar T, class Be>
  scratch<array_of<Be, T>> workspace(Be& be, const shape& most) const {
    const shape one = most.with_images(1);
    scratch<array_of<Be, T>> made{be.template make<T>(one), be.template make<T>(one), be.template make<T>(one)};
    be.for_each(set_one{}, made.ones.view());
    return made;
  }

  /// Throws `error` unless `phi` has twice the channels of the images.
  template <class Be, class C, class D, class DM, class T, class M>
  void evaluate(Be& be, const C& corruption, const D&, DM&, const corrupted_batch<Be, T>& batch, in_of<Be, T> phi,
                out_of<Be, T> gradient, double* losses, M& memory) const {
    using one = term_of<Be, T>;
    const shape image = batch.clean.extent().with_images(1);
    const std::size_t images = batch.clean.extent().images, d = image.per_image();
    require(phi.extent().per_image() == 2 * d, "channels of the network's output", phi.extent().channels,
            "twice those of the images where the variance is learned");
    const auto count = static_cast<double>(d), all = count * static_cast<double>(images);
    const auto residual = memory.residual.view(), values = memory.values.view();
    for (std::size_t i = 0; i < images; ++i) {
      const diffusion_time t = batch.times[i];
      const auto range = variance_range::at(corruption, t, steps);
      const bool last = t.value < 1.5 / static_cast<double>(steps);
      const double beta = std::exp(range.log_most), sigma = corruption.sigma(t);
      const bound rule{range.log_least,
                       range.log_most - range.log_least,
                       last ? 0.0 : std::exp(range.log_least),
                       last ? std::log(2.0 * std::numbers::pi) : -1.0 - range.log_least,
                       beta * beta / ((1.0 - beta) * sigma * sigma),
                       share * static_cast<double>(steps)};
      be.combine(residual, one{1.0, phi.slice(2 * i * d, image)}, one{-1.0, batch.xi.images(i, 1)});
      be.for_each(value_of{rule}, values, phi.slice((2 * i + 1) * d, image), view_of<Be, const T>(residual));
      double simple = 0.0, variational = 0.0;
      be.dot(view_of<Be, const T>(residual), view_of<Be, const T>(residual), &simple);
      be.dot(view_of<Be, const T>(values), view_of<Be, const T>(memory.ones.view()), &variational);
      losses[i] = (simple + variational) / count;
      be.for_each(slope_of{rule, all}, gradient.slice((2 * i + 1) * d, image), phi.slice((2 * i + 1) * d, image),
                  view_of<Be, const T>(residual));
      be.combine(gradient.slice(2 * i * d, image), one{2.0 / all, residual});
    }
  }

 private:
  // L_t of one element, scaled, as a function of u and the error e of eps: half of offset + log var + (tilde + square
  // e^2) / var.
  struct bound {
    double log_least, width, tilde, offset, square, scale;
    SOFTSCORE_HD double log_variance(double u) const { return log_least + u * width; }
    SOFTSCORE_HD double spread(double u, double e) const {
      return (tilde + square * e * e) * std::exp(-log_variance(u));
    }
  };

 public:  // for kernels, which are made of public types only
  struct set_one {
    template <class T>
    SOFTSCORE_HD void operator()(T& x) const {
      x = T{1};
    }
  };
  struct value_of {
    bound rule;
    template <class T>
    SOFTSCORE_HD void operator()(T& out, const T& u, const T& e) const {
      const auto at = static_cast<double>(u), error = static_cast<double>(e);
      out = static_cast<T>(0.5 * rule.scale * (rule.offset + rule.log_variance(at) + rule.spread(at, error)));
    }
  };
  struct slope_of {
    bound rule;
    double count;
    template <class T>
    SOFTSCORE_HD void operator()(T& out, const T& u, const T& e) const {
      out = static_cast<T>(0.5 * rule.scale * rule.width *
                           (1.0 - rule.spread(static_cast<double>(u), static_cast<double>(e))) / count);
    }
  };
};

}  // namespace softscore::inline SOFTSCORE_ABI
