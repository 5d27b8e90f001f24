#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/corruption/concept.hpp>
#include <softscore/denoiser/concept.hpp>
#include <softscore/operator/concept.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The exact denoiser of normal data N(m, V diag(variances) V^T), where V holds the modes of the corruption's own
/// operator, C_w = U diag(s) V^T. In each mode h = m + v s / (s^2 v + sigma^2) (x - s m) (textbook). It takes images of
/// any size, runs on the backend, and requires a family whose modes are the same at every level: blurs by DCT and FFT,
/// fades and masks, multiples of I. Its pullback and density are exact too.
template <GaussianCorruption C>
class spectral_denoiser {
  static_assert(HasSvd<typename C::operator_type>,
                "softscore: a spectral denoiser needs the operator's singular values, and it has none");

 public:
  static constexpr int evaluations = 1;

  /// `mean` is an image; `variances` holds one number for each mode, in the order of the operator's svd. Throws `error`
  /// unless each has as many elements as an image, and if a variance is negative.
  spectral_denoiser(C corruption, std::vector<double> mean, std::vector<double> variances, shape image)
      : corruption_{std::move(corruption)},
        mean_{std::move(mean)},
        variances_{std::move(variances)},
        image_{image.with_images(1)} {
    require(mean_.size() == image_.per_image(), "length of the mean", mean_.size(),
            "the number of elements of an image");
    require(variances_.size() == mean_.size(), "number of variances", variances_.size(), "the length of the mean");
    for (const double v : variances_) require(v >= 0.0, "variance of a mode", v, "at least 0");
    probe_ = modes_of_probe(diffusion_time{0.0});
  }

  shape image() const { return image_; }

  /// Throws `error` if the modes of C_t are not those of C_0.
  void check(diffusion_time t) const {
    const std::vector<double> here = modes_of_probe(t);
    double most = 0.0;
    for (std::size_t k = 0; k < here.size(); ++k) most = (std::max)(most, std::abs(here[k] - probe_[k]));
    require(most < 1e-8, "change of the operator's modes between time 0 and a time of the grid", most,
            "0 for a spectral denoiser");
  }

  template <class Be, class T>
  struct memory {
    using svd_type = decltype(degradation<typename C::operator_type>::svd(
        std::declval<const typename C::operator_type&>(), level{}, shape{}));
    // Of the last estimate, one per image or one for all.
    std::vector<svd_type> parts;
    std::vector<double> log_factors;
    array_of<Be, T> gains, offsets, scales, shifts, modes;
    diffusion_time at{-1.0};
    std::size_t images{};
  };

  template <Scalar T, class Be>
  memory<Be, T> workspace(Be& be, const shape& most) const {
    return {{},
            {},
            be.template make<T>(most),
            be.template make<T>(most),
            be.template make<T>(most),
            be.template make<T>(most),
            be.template make<T>(most)};
  }

  template <class Be, Scalar T>
  void estimate(Be& be, const condition& q, in_of<Be, T> x, out_of<Be, T> out, memory<Be, T>& ws) const {
    const std::size_t images = x.extent().images;
    prepare(be, q, x.extent(), ws);
    const auto modes = ws.modes.view().images(0, images);
    each_part(ws, images, [&](const auto& part, std::size_t first, std::size_t count) {
      part.measurement_to_modes(be, x.images(first, count), modes.images(first, count));
    });
    be.for_each(affine{}, modes, ws.gains.view().images(0, images), ws.offsets.view().images(0, images));
    each_part(ws, images, [&](const auto& part, std::size_t first, std::size_t count) {
      part.from_modes(be, modes.images(first, count), out.images(first, count));
    });
  }

  template <class Be, Scalar T>
  void pullback(Be& be, const condition&, in_of<Be, T> v, out_of<Be, T> out, memory<Be, T>& ws) const {
    const std::size_t images = v.extent().images;
    const auto modes = ws.modes.view().images(0, images);
    each_part(ws, images, [&](const auto& part, std::size_t first, std::size_t count) {
      part.to_modes(be, v.images(first, count), modes.images(first, count));
    });
    be.for_each(multiply{}, modes, ws.gains.view().images(0, images));
    each_part(ws, images, [&](const auto& part, std::size_t first, std::size_t count) {
      part.measurement_from_modes(be, modes.images(first, count), out.images(first, count));
    });
  }

  /// Writes log p_t(x) of every image of the batch to `host`.
  template <class Be, class T>
  void log_density(Be& be, const condition& q, out_of<Be, T> x, double* host,
                   memory<Be, std::remove_const_t<T>>& ws) const {
    const std::size_t images = x.extent().images;
    prepare(be, q, x.extent(), ws);
    const auto modes = ws.modes.view().images(0, images);
    each_part(ws, images, [&](const auto& part, std::size_t first, std::size_t count) {
      part.measurement_to_modes(be, x.images(first, count), modes.images(first, count));
    });
    be.for_each(affine{}, modes, ws.scales.view().images(0, images), ws.shifts.view().images(0, images));
    be.dot(modes, modes, host);
    for (std::size_t i = 0; i < images; ++i) host[i] = ws.log_factors[ws.parts.size() == 1 ? 0 : i] - 0.5 * host[i];
  }

 public:  // for kernels, which can use only public types
  struct affine {
    template <class T>
    SOFTSCORE_HD void operator()(T& x, const T& gain, const T& offset) const {
      x = gain * x + offset;
    }
  };
  struct multiply {
    template <class T>
    SOFTSCORE_HD void operator()(T& x, const T& gain) const {
      x = gain * x;
    }
  };

 private:
  auto svd_at(diffusion_time t) const {
    return degradation<typename C::operator_type>::svd(corruption_.linear_operator(), corruption_.level_at(t), image_);
  }

  // V^T of an image; the probe is an image without symmetries.
  template <class D>
  std::vector<double> modes_of(const D& parts, const std::vector<double>& image) const {
    serial_backend be;
    auto in = be.make<double>(image_), out = be.make<double>(image_);
    be.upload(image.data(), in.view());
    parts.to_modes(be, in.view(), out.view());
    std::vector<double> modes(image.size());
    be.download(out.view(), modes.data());
    return modes;
  }
  std::vector<double> modes_of_probe(diffusion_time t) const {
    std::vector<double> image(mean_.size());
    for (std::size_t k = 0; k < image.size(); ++k)
      image[k] = uniform(noise_key{.stream = noise_stream::test}, 0, static_cast<std::uint32_t>(k)) - 0.5;
    return modes_of(svd_at(t), image);
  }

  template <class M, class F>
  static void each_part(const M& ws, std::size_t images, const F& f) {
    if (ws.parts.size() == 1 && images != 1) {
      f(ws.parts[0], 0, images);
    } else {
      for (std::size_t i = 0; i < images; ++i) f(ws.parts[i], i, 1);
    }
  }

  // Computes the numbers of every mode at the times asked for, unless the last call computed the same.
  template <class Be, class T>
  void prepare(Be& be, const condition& q, const shape& extent, memory<Be, T>& ws) const {
    require(extent.with_images(1) == image_, "extent of the images", extent, "that of the denoiser's");
    const bool shared = q.times.shared();
    if (shared && ws.at.value == q.times[0].value && ws.images == extent.images) return;
    ws.at = shared ? q.times[0] : diffusion_time{-1.0};
    ws.images = extent.images;
    ws.parts.clear();
    ws.log_factors.clear();
    std::vector<T> gains, offsets, scales, shifts;
    for (std::size_t i = 0; i < extent.images; ++i) {
      const std::size_t d = mean_.size();
      if (i == 0 || !shared) {
        ws.parts.push_back(svd_at(q.times[i]));
        const std::vector<double> mean = modes_of(ws.parts.back(), mean_);
        const std::span<const double> singular = ws.parts.back().values();
        const double square = corruption_.sigma(q.times[i]) * corruption_.sigma(q.times[i]);
        double logs = static_cast<double>(d) * std::log(2.0 * std::numbers::pi);
        for (std::size_t k = 0; k < d; ++k) {
          const double s = singular[k], whole = s * s * variances_[k] + square;
          const double gain = whole > 0.0 ? variances_[k] * s / whole : 0.0;
          const double scale = whole > 0.0 ? 1.0 / std::sqrt(whole) : 0.0;
          gains.push_back(static_cast<T>(gain));
          offsets.push_back(static_cast<T>((1.0 - gain * s) * mean[k]));
          scales.push_back(static_cast<T>(scale));
          shifts.push_back(static_cast<T>(-scale * s * mean[k]));
          logs += std::log(whole);
        }
        ws.log_factors.push_back(-0.5 * logs);
      } else {
        for (std::size_t k = 0; k < d; ++k) {
          gains.push_back(gains[k]);
          offsets.push_back(offsets[k]);
          scales.push_back(scales[k]);
          shifts.push_back(shifts[k]);
        }
      }
    }
    be.upload(gains.data(), ws.gains.view().images(0, extent.images));
    be.upload(offsets.data(), ws.offsets.view().images(0, extent.images));
    be.upload(scales.data(), ws.scales.view().images(0, extent.images));
    be.upload(shifts.data(), ws.shifts.view().images(0, extent.images));
  }

  C corruption_;
  std::vector<double> mean_, variances_, probe_;
  shape image_;
};

}  // namespace softscore::inline SOFTSCORE_ABI
