#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/number_text.hpp>
#include <softscore/denoiser/archetype.hpp>
#include <softscore/denoiser/concept.hpp>
#include <softscore/denoiser/pixel_range.hpp>
#include <softscore/denoiser/wrapped_denoiser.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Static thresholding (Saharia et al. 2022, Section 2.3): clips every estimate to the range of clean pixels. The
/// pullback is 0 at clipped pixels.
template <class D>
class static_thresholding : public wrapped_denoiser<D> {
 public:
  /// Throws `error` for an empty range.
  explicit static_thresholding(D denoiser, pixel_range range = {})
      : wrapped_denoiser<D>{std::move(denoiser)}, range_{range} {
    range_.check();
  }

  template <class OfDenoiser, class Array>
  struct memory {
    OfDenoiser denoiser;
    Array estimate, passed;  // before clipping; the part of a vector that passes
  };

  template <Scalar T, class Be>
  memory<workspace_of<D, Be, T>, array_of<Be, T>> workspace(Be& be, const shape& most) const {
    return {this->inner().template workspace<T>(be, most), be.template make<T>(most), be.template make<T>(most)};
  }

  template <class Be, Scalar T, class M>
  void estimate(Be& be, const condition& q, in_of<Be, T> x, out_of<Be, T> out, M& ws) const {
    const auto whole = ws.estimate.view().images(0, out.extent().images);
    this->inner().estimate(be, q, x, whole, ws.denoiser);
    be.for_each(detail::clip_to_range{range_}, out, whole);
  }

  template <class Be, Scalar T, class M>
  void pullback(Be& be, const condition& q, in_of<Be, T> v, out_of<Be, T> out, M& ws) const
    requires PullsBack<D, Be, T>
  {
    const std::size_t images = out.extent().images;
    const auto whole = ws.estimate.view().images(0, images), passed = ws.passed.view().images(0, images);
    be.for_each(pass{range_}, passed, v, whole);
    this->inner().pullback(be, q, passed, out, ws.denoiser);
  }

 public:  // for kernels, which can use only public types
  struct pass {
    pixel_range range;
    template <class T>
    SOFTSCORE_HD void operator()(T& out, const T& v, const T& h) const {
      out = h < static_cast<T>(range.low) || h > static_cast<T>(range.high) ? T{} : v;
    }
  };

 private:
  pixel_range range_;
};
static_assert(DifferentiableDenoiser<static_thresholding<archetype_denoiser>, archetype_backend, float>);

/// Dynamic thresholding (Saharia et al. 2022, Section 2.3). With pixels scaled to [-1, 1], s is the `percentile` of an
/// image's |h|, at least 1 and at most `most`; the image is clipped to [-s, s] and divided by s. The percentile
/// interpolates linearly between the sorted values, as in NumPy, and each image has its own. On a device the estimate
/// passes through host memory.
template <class D>
class dynamic_thresholding : public wrapped_denoiser<D> {
 public:
  /// Throws `error` unless 0 <= percentile <= 100 and most >= 1, and for an empty range.
  explicit dynamic_thresholding(D denoiser, double percentile = 99.5, pixel_range range = {},
                                double most = std::numeric_limits<double>::infinity())
      : wrapped_denoiser<D>{std::move(denoiser)}, percentile_{percentile}, range_{range}, most_{most} {
    require(percentile_ >= 0.0 && percentile_ <= 100.0, "percentile", percentile_, "between 0 and 100");
    require(most_ >= 1.0, "the largest threshold", most_, "at least 1");
    range_.check();
  }

  template <class OfDenoiser, class T>
  struct memory {
    OfDenoiser denoiser;
    std::vector<T> host, sorted;  // the batch, and the absolute values of one image's pixels
    std::vector<double> shrink;   // 1 / s of each image
  };

  template <Scalar T, class Be>
  memory<workspace_of<D, Be, T>, T> workspace(Be& be, const shape& most) const {
    return {this->inner().template workspace<T>(be, most), std::vector<T>(most.size()),
            std::vector<T>(most.per_image()), std::vector<double>(most.images)};
  }

  template <class Be, Scalar T, class M>
  void estimate(Be& be, const condition& q, in_of<Be, T> x, out_of<Be, T> out, M& ws) const {
    this->inner().estimate(be, q, x, out, ws.denoiser);
    be.for_each(bring{range_}, out);
    be.download(out, ws.host.data());
    const std::size_t elements = out.extent().per_image();
    for (std::size_t i = 0; i < out.extent().images; ++i) {
      for (std::size_t k = 0; k < elements; ++k) {
        ws.sorted[k] = std::abs(ws.host[i * elements + k]);
        // A value that is not finite has no place in the sorted order.
        if (!std::isfinite(ws.sorted[k]))
          reject("size of a pixel in the estimate of image " + detail::shown(q.images.number(i)) + " at time " +
                     detail::shown(q.times[i].value),
                 ws.sorted[k], "finite");
      }
      ws.shrink[i] = 1.0 / (std::min)(most_, (std::max)(1.0, percentile_of(ws.sorted)));
    }
    be.combine(out, term_of<Be, T>{each_of(ws.shrink), out});
    be.for_each(clip_and_return{range_}, out);
  }

 public:  // for kernels, which can use only public types
  struct bring {
    pixel_range range;
    template <class T>
    SOFTSCORE_HD void operator()(T& h) const {
      h = static_cast<T>((2.0 * static_cast<double>(h) - range.low - range.high) / (range.high - range.low));
    }
  };
  struct clip_and_return {
    pixel_range range;
    template <class T>
    SOFTSCORE_HD void operator()(T& h) const {
      const double u = h < T{-1} ? -1.0 : h > T{1} ? 1.0 : static_cast<double>(h);
      h = static_cast<T>(0.5 * (range.low + range.high) + 0.5 * (range.high - range.low) * u);
    }
  };

 private:
  // The value at position percentile / 100 (n - 1) of the sorted ones; reorders the values.
  template <class T>
  double percentile_of(std::vector<T>& values) const {
    const double place = percentile_ / 100.0 * static_cast<double>(values.size() - 1);
    const auto below = static_cast<std::size_t>(place);
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(below);
    std::nth_element(values.begin(), middle, values.end());
    const auto low = static_cast<double>(*middle);
    if (below + 1 == values.size()) return low;
    const auto high = static_cast<double>(*std::min_element(middle + 1, values.end()));
    return low + (place - static_cast<double>(below)) * (high - low);
  }

  double percentile_;
  pixel_range range_;
  double most_;
};
static_assert(Denoiser<dynamic_thresholding<archetype_denoiser>, archetype_backend, float>);

}  // namespace softscore::inline SOFTSCORE_ABI
