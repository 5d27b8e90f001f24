#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>

#include <softscore/backend/archetype_operations.hpp>
#include <softscore/backend/operations.hpp>
#include <softscore/backend/resampling.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/nn/layer.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {
inline shape doubled(const shape& in) { return {1, in.channels, 2 * in.height, 2 * in.width}; }
inline shape halved(const shape& in) {
  require(in.height % 2 == 0 && in.width % 2 == 0, "the input of a layer that halves the resolution", in,
          "of even height and width");
  return {1, in.channels, in.height / 2, in.width / 2};
}
// Karras et al. 2020.
inline constexpr std::array<double, 4> smooth_taps{1, 3, 3, 1};
}  // namespace detail

/// x (N,C,H,W) -> y (N,C,2H,2W): each pixel twice in each direction.
struct upsample_nearest : stateless_layer {
  shape place(placement&, const std::string&, const shape& in) { return output(in); }
  shape output(const shape& in) const { return detail::doubled(in); }

  template <class Be, class T>
  void forward(Be& be, const pass<Be, T>&, in_of<Be, T> x, out_of<Be, T> y, no_memory<Be, T>&) const {
    upsample_nearest_forward<Be, T>(be, x, y);
  }
  template <class Be, class T>
  void backward(Be& be, const pass<Be, T>&, in_of<Be, T>, in_of<Be, T> dy, out_of<Be, T> dx, no_memory<Be, T>&) const {
    if (!dx.empty()) upsample_nearest_backward<Be, T>(be, dy, dx);
  }
};

/// x (N,C,H,W) -> y (N,C,H/2,W/2): the mean of each square of 2 x 2 pixels. It refuses odd heights and widths.
struct downsample_mean : stateless_layer {
  shape place(placement&, const std::string&, const shape& in) { return output(in); }
  shape output(const shape& in) const { return detail::halved(in); }

  template <class Be, class T>
  void forward(Be& be, const pass<Be, T>&, in_of<Be, T> x, out_of<Be, T> y, no_memory<Be, T>&) const {
    downsample_mean_forward<Be, T>(be, x, y);
  }
  template <class Be, class T>
  void backward(Be& be, const pass<Be, T>&, in_of<Be, T>, in_of<Be, T> dy, out_of<Be, T> dx, no_memory<Be, T>&) const {
    if (!dx.empty()) downsample_mean_backward<Be, T>(be, dy, dx);
  }
};

/// x (N,C,H,W) -> y (N,C,2H,2W): zeros between the pixels, then a symmetric filter that keeps a constant image, by
/// default (1, 3, 3, 1) in each direction (Karras et al. 2020).
class fir_upsample : public stateless_layer {
 public:
  explicit fir_upsample(std::span<const double> taps = detail::smooth_taps) : filter_{make_fir_filter(taps, 4)} {}

  shape place(placement&, const std::string&, const shape& in) { return output(in); }
  shape output(const shape& in) const { return detail::doubled(in); }

  template <class Be, class T>
  void forward(Be& be, const pass<Be, T>&, in_of<Be, T> x, out_of<Be, T> y, no_memory<Be, T>&) const {
    fir_upsample_forward<Be, T>(be, filter_, x, y);
  }
  template <class Be, class T>
  void backward(Be& be, const pass<Be, T>&, in_of<Be, T>, in_of<Be, T> dy, out_of<Be, T> dx, no_memory<Be, T>&) const {
    if (!dx.empty()) fir_upsample_backward<Be, T>(be, filter_, dy, dx);
  }

 private:
  fir_filter filter_;
};

/// x (N,C,H,W) -> y (N,C,H/2,W/2): the same filter at every second pixel. It refuses odd heights and widths.
class fir_downsample : public stateless_layer {
 public:
  explicit fir_downsample(std::span<const double> taps = detail::smooth_taps) : filter_{make_fir_filter(taps)} {}

  shape place(placement&, const std::string&, const shape& in) { return output(in); }
  shape output(const shape& in) const { return detail::halved(in); }

  template <class Be, class T>
  void forward(Be& be, const pass<Be, T>&, in_of<Be, T> x, out_of<Be, T> y, no_memory<Be, T>&) const {
    fir_downsample_forward<Be, T>(be, filter_, x, y);
  }
  template <class Be, class T>
  void backward(Be& be, const pass<Be, T>&, in_of<Be, T>, in_of<Be, T> dy, out_of<Be, T> dx, no_memory<Be, T>&) const {
    if (!dx.empty()) fir_downsample_backward<Be, T>(be, filter_, dy, dx);
  }

 private:
  fir_filter filter_;
};

/// x (N,C,H,W) -> y (N,C,H/2-1,W/2-1): the same without zeros around x. It refuses odd sides and those below four.
class fir_downsample_inside : public stateless_layer {
 public:
  fir_downsample_inside() : filter_{without_border(make_fir_filter(detail::smooth_taps))} {}

  shape place(placement&, const std::string&, const shape& in) { return in.plane() == 0 ? in : output(in); }
  shape output(const shape& in) const {
    require(in.height >= 4 && in.width >= 4, "the input of a filter of four taps", in, "at least 4 high and wide");
    const shape half = detail::halved(in);
    return {1, in.channels, half.height - 1, half.width - 1};
  }

  template <class Be, class T>
  void forward(Be& be, const pass<Be, T>&, in_of<Be, T> x, out_of<Be, T> y, no_memory<Be, T>&) const {
    fir_downsample_forward<Be, T>(be, filter_, x, y);
  }
  template <class Be, class T>
  void backward(Be& be, const pass<Be, T>&, in_of<Be, T>, in_of<Be, T> dy, out_of<Be, T> dx, no_memory<Be, T>&) const {
    if (!dx.empty()) fir_downsample_backward<Be, T>(be, filter_, dy, dx);
  }

 private:
  fir_filter filter_;
};

static_assert(Layer<upsample_nearest, archetype_backend, float> && Layer<upsample_nearest, archetype_backend, double>);
static_assert(Layer<downsample_mean, archetype_backend, float> && Layer<downsample_mean, archetype_backend, double>);
static_assert(Layer<fir_upsample, archetype_backend, float> && Layer<fir_upsample, archetype_backend, double>);
static_assert(Layer<fir_downsample, archetype_backend, float> && Layer<fir_downsample, archetype_backend, double>);
static_assert(Layer<fir_downsample_inside, archetype_backend, float> &&
              Layer<fir_downsample_inside, archetype_backend, double>);

}  // namespace softscore::inline SOFTSCORE_ABI
