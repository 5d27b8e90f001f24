#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/noise.hpp>
#include <softscore/core/shape.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The distribution of C_1 x_0, to which sampling adds its noise. `prior.draw(seed, image, shape, out)` writes one
/// image, which depends on these arguments alone; `prior.zero()` is true if that image is always 0. Models:
/// nothing_left, fitted_prior.
template <class L>
concept Prior = requires(const L prior, std::uint64_t seed, std::uint64_t image, shape s, std::span<double> out) {
  prior.draw(seed, image, s, out);
  { prior.zero() } -> std::same_as<bool>;
};

/// Nothing is left of the image at time 1: sampling starts from noise alone (as under the masks of Daras et al. 2022,
/// Appendix G).
struct nothing_left {
  void draw(std::uint64_t, std::uint64_t, const shape&, std::span<double> out) const {
    for (double& x : out) x = 0.0;
  }
  bool zero() const { return true; }
};
static_assert(Prior<nothing_left>);

/// A Gaussian fitted to fully corrupted data: mean + sum_k deviation_k g_k mode_k (a distribution of our own).
/// `train/fit_prior.hpp` fits it; `train/fit_color_prior.hpp` fits the single random color of Daras et al. 2022,
/// Appendix D, with one constant mode per channel.
class fitted_prior {
 public:
  fitted_prior() = default;
  /// `modes` holds the modes one after the other, each of `mean.size()` elements, one for each of `deviations`. Throws
  /// `error` if the lengths disagree, and for a number that is not finite.
  template <class = when_called>
  fitted_prior(std::vector<double> mean, std::vector<double> deviations, std::vector<double> modes)
      : mean_{std::move(mean)}, deviations_{std::move(deviations)}, modes_{std::move(modes)} {
    require(modes_.size() == mean_.size() * deviations_.size(), "number of mode elements", modes_.size(),
            "the length of the mean times the number of deviations");
    for (const double x : mean_) require(std::isfinite(x), "an element of the prior's mean", x, "finite");
    for (const double x : deviations_) require(std::isfinite(x), "a deviation of the prior", x, "finite");
    for (const double x : modes_) require(std::isfinite(x), "an element of the prior's modes", x, "finite");
  }

  std::span<const double> mean() const { return {mean_.data(), mean_.size()}; }
  std::span<const double> deviations() const { return {deviations_.data(), deviations_.size()}; }
  std::span<const double> modes() const { return {modes_.data(), modes_.size()}; }
  bool zero() const { return mean_.empty(); }

  /// Throws `error` if the distribution was fitted to images of another size.
  template <class = when_called>
  void draw(std::uint64_t seed, std::uint64_t image, const shape& s, std::span<double> out) const {
    require(mean_.empty() || mean_.size() == s.per_image(), "image elements", s.per_image(),
            "the number that the prior was fitted to");
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = mean_.empty() ? 0.0 : mean_[i];
    for (std::size_t k = 0; k < deviations_.size(); ++k) {
      const noise_key key{.seed = seed, .stream = noise_stream::start, .draw = 1};
      const float z = normals(key, image, static_cast<std::uint32_t>(k / 4))[k % 4];
      const double g = static_cast<double>(z) * deviations_[k];
      for (std::size_t i = 0; i < out.size(); ++i) out[i] += g * modes_[k * out.size() + i];
    }
  }

 private:
  std::vector<double> mean_, deviations_, modes_;
};
static_assert(Prior<fitted_prior>);

}  // namespace softscore::inline SOFTSCORE_ABI
