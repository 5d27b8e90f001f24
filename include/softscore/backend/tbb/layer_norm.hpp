#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include <softscore/backend/group_norm_shape.hpp>
#include <softscore/backend/tbb/layer_norm_tiles.hpp>
#include <softscore/backend/tbb/layout.hpp>
#include <softscore/core/checked_size.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// What a layer norm keeps between calls. A task is a part of an image: some of its pixels in all channels.
template <class T>
struct tbb_layer_norm {
  static constexpr std::size_t pixels_per_part = 128;

  shape sizes;
  double epsilon;
  std::size_t block;                          // contiguous channels
  std::vector<detail::normalizer> of_pixels;  // (N,H,W), of the last forward pass
  std::vector<double> shares;                 // for each part, the sums of dgain (C) and of dbias (C)

  std::size_t parts() const { return (sizes.plane() + pixels_per_part - 1) / pixels_per_part; }
};

/// Plans a layer norm over the channels at each pixel, for at most `sizes.images` images. Throws `error` if a size is
/// 0.
template <class T>
tbb_layer_norm<T> make_layer_norm(tbb_backend& be, const shape& sizes, double epsilon) {
  require(sizes.size() > 0, "the extent of a layer norm", sizes, "at least 1 in every direction");
  detail::require_epsilon(epsilon);
  tbb_layer_norm<T> plan{sizes, epsilon, channel_block<T>(be, sizes.channels), {}, {}};
  plan.of_pixels = vector_of<detail::normalizer>("moments of a layer norm", {sizes.images, sizes.plane()});
  plan.shares = vector_of<double>("sums of a layer norm", {sizes.images, plan.parts(), 2, sizes.channels});
  return plan;
}

/// y = u gain + bias with u normalized over the channels at each pixel, as on the serial backend. y may be x if no
/// backward pass follows.
template <class T>
void layer_norm_forward(tbb_backend& be, tbb_layer_norm<T>& plan, const_view<T, host_space> x,
                        const_view<T, host_space> gain, const_view<T, host_space> bias, view<T, host_space> y) {
  const shape s = x.extent();
  const detail::pixel_layout layout{s.channels, s.plane(), plan.block};
  be.parallel(s.images * plan.parts(), [&](std::size_t task) {
    const std::size_t n = task / plan.parts(), first = task % plan.parts() * plan.pixels_per_part;
    const std::size_t last = (std::min)(s.plane(), first + plan.pixels_per_part);
    detail::over_tiles<T>(layout, first, last, [&](auto tile, std::size_t pixel) {
      const std::size_t at = n * s.per_image() + tile.place(layout, pixel);
      detail::normalizer* of_pixels = plan.of_pixels.data() + n * s.plane() + pixel;
      tile.moments(layout, raw(x) + at, plan.epsilon, of_pixels);
      tile.forward(layout, of_pixels, raw(x) + at, raw(gain), raw(bias), raw(y) + at);
    });
  });
}

/// The gradients with respect to x, gain and bias, from dy, as on the serial backend. dgain together with dbias may be
/// empty. dx may be dy.
template <class T>
void layer_norm_backward(tbb_backend& be, tbb_layer_norm<T>& plan, const_view<T, host_space> x,
                         const_view<T, host_space> gain, const_view<T, host_space> /*bias*/,
                         const_view<T, host_space> dy, view<T, host_space> dx, view<T, host_space> dgain,
                         view<T, host_space> dbias) {
  const shape s = x.extent();
  const detail::pixel_layout layout{s.channels, s.plane(), plan.block};
  const std::size_t tasks = s.images * plan.parts();
  be.parallel(tasks, [&](std::size_t task) {
    const std::size_t n = task / plan.parts(), first = task % plan.parts() * plan.pixels_per_part;
    const std::size_t last = (std::min)(s.plane(), first + plan.pixels_per_part);
    double* of_gain = dgain.empty() ? nullptr : plan.shares.data() + task * 2 * s.channels;
    double* of_bias = dgain.empty() ? nullptr : of_gain + s.channels;
    if (of_gain != nullptr) std::fill_n(of_gain, 2 * s.channels, 0.0);
    detail::over_tiles<T>(layout, first, last, [&](auto tile, std::size_t pixel) {
      const std::size_t at = n * s.per_image() + tile.place(layout, pixel);
      tile.backward(layout, plan.of_pixels.data() + n * s.plane() + pixel, raw(x) + at, raw(gain), raw(dy) + at,
                    raw(dx) + at, of_gain, of_bias);
    });
  });
  if (dgain.empty()) return;
  // In double and part by part, so that the order depends on nothing else.
  constexpr std::size_t share = 64;
  be.parallel((s.channels + share - 1) / share, [&](std::size_t task) {
    for (std::size_t c = task * share; c < (std::min)(s.channels, (task + 1) * share); ++c) {
      double sum_gain = 0, sum_bias = 0;
      for (std::size_t k = 0; k < tasks; ++k) {
        sum_gain += plan.shares[k * 2 * s.channels + c];
        sum_bias += plan.shares[k * 2 * s.channels + s.channels + c];
      }
      raw(dgain)[c] = static_cast<T>(sum_gain);
      raw(dbias)[c] = static_cast<T>(sum_bias);
    }
  });
}

}  // namespace softscore::inline SOFTSCORE_ABI
