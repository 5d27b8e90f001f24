#pragma once

#include <concepts>
#include <utility>

#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/corruption/concept.hpp>
#include <softscore/denoiser/concept.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The estimate as a linear combination of the noisy image and the network's output phi: h = of_input x_t + of_output
/// phi.
struct parameterization_weights {
  double of_input{}, of_output{};
};

/// `parameterization.weights(t)` gives the coefficients at time t, and `L::predicts` says what phi means (Salimans and
/// Ho 2022).
template <class L>
concept Parameterization = requires(const L parameterization, diffusion_time t) {
  { parameterization.weights(t) } -> std::same_as<parameterization_weights>;
  { L::predicts } -> std::convertible_to<prediction>;
};

/// phi is x_0 - x_t, so h = phi + x_t.
struct residual_parameterization {
  static constexpr prediction predicts = prediction::residual;
  parameterization_weights weights(diffusion_time) const { return {1.0, 1.0}; }
};
static_assert(Parameterization<residual_parameterization>);

/// phi is x_0 itself.
struct clean_parameterization {
  static constexpr prediction predicts = prediction::clean;
  parameterization_weights weights(diffusion_time) const { return {0.0, 1.0}; }
};
static_assert(Parameterization<clean_parameterization>);

/// The noise is normal and the signal is a number times the image, so that noise and velocity determine x_0.
template <class C>
concept ScalarGaussianCorruption = GaussianCorruption<C> && ScalarSignal<C>;

namespace detail {

// With less signal than this, an image times the inverse of the gain does not fit into float32.
inline constexpr double least_gain = 1e-30;

// What the three parameterizations below share: the corruption, and a sentence for a corruption that they cannot use.
template <class C>
class parameterization_under {
 public:
  const C& corruption() const { return corruption_; }

 protected:
  // The static_assert stands here and not in the class: if it failed there, the compiler would report more than its
  // sentence.
  explicit parameterization_under(C corruption) : corruption_{std::move(corruption)} {
    static_assert(ScalarGaussianCorruption<C>,
                  "softscore: a prediction of the noise, the velocity or the score needs normal noise and a signal "
                  "that is a number times the image, and this corruption lacks one of them");
  }

  // rule(a_t, sigma_t).
  template <class Rule>
  parameterization_weights weights_by(diffusion_time t, Rule rule) const {
    if constexpr (ScalarGaussianCorruption<C>) return rule(corruption_.signal_gain(t), corruption_.sigma(t));
    return {};  // the sentence above is all that a compiler should report
  }

 private:
  C corruption_;
};

}  // namespace detail

/// phi is the noise eps, so h = (x_t - sigma_t phi) / a_t, for C = a I.
template <class C>
class epsilon_parameterization : detail::parameterization_under<C> {
 public:
  using detail::parameterization_under<C>::corruption;
  static constexpr prediction predicts = prediction::epsilon;
  explicit epsilon_parameterization(C c) : detail::parameterization_under<C>{std::move(c)} {}

  /// Throws `error` where no signal is left, since eps then says nothing about x_0.
  parameterization_weights weights(diffusion_time t) const {
    return this->weights_by(t, [](double a, double sigma) {
      require(a > 0.0, "the signal's gain under an epsilon prediction", a, "above 0");
      require(a >= detail::least_gain, "the signal's gain under an epsilon prediction", a, "at least 1e-30");
      return parameterization_weights{1.0 / a, -sigma / a};
    });
  }
};

/// phi is the velocity v = a eps - sigma x_0, so h = a_t x_t - sigma_t phi, for C = a I with a^2 + sigma^2 = 1.
template <class C>
class velocity_parameterization : detail::parameterization_under<C> {
 public:
  using detail::parameterization_under<C>::corruption;
  static constexpr prediction predicts = prediction::velocity;
  explicit velocity_parameterization(C c) : detail::parameterization_under<C>{std::move(c)} {}

  /// Throws `error` where a^2 + sigma^2 is not 1.
  parameterization_weights weights(diffusion_time t) const {
    return this->weights_by(t, [](double a, double sigma) {
      const double sum = a * a + sigma * sigma;
      require(sum > 1.0 - 1e-9 && sum < 1.0 + 1e-9, "a^2 + sigma^2 under a velocity prediction", sum, "1");
      return parameterization_weights{a, -sigma};
    });
  }
};

/// phi is the score, so h = (x_t + sigma_t^2 phi) / a_t, for C = a I (Daras et al. 2022, Eq. 16).
template <class C>
class score_parameterization : detail::parameterization_under<C> {
 public:
  using detail::parameterization_under<C>::corruption;
  static constexpr prediction predicts = prediction::score;
  explicit score_parameterization(C c) : detail::parameterization_under<C>{std::move(c)} {}

  /// Throws `error` where no signal is left, since the score then says nothing about x_0.
  parameterization_weights weights(diffusion_time t) const {
    return this->weights_by(t, [](double a, double sigma) {
      require(a > 0.0, "the signal's gain under a score prediction", a, "above 0");
      require(a >= detail::least_gain, "the signal's gain under a score prediction", a, "at least 1e-30");
      return parameterization_weights{1.0 / a, sigma * sigma / a};
    });
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI
