#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>

#include <softscore/backend/group_norm_parameters.hpp>
#include <softscore/backend/tbb/channel_moments.hpp>
#include <softscore/backend/tbb/lanes.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// The order of the pixels of an image: `block` contiguous channels of a pixel, or whole planes (block 1).
struct pixel_layout {
  std::size_t channels, plane, block;
};

// The loops of a layer norm over a tile of an image: Count neighboring vectors and those of the same pixels in all
// channels, processed in steps. If channels are contiguous, a vector holds W channels of a pixel, and there are C / W
// steps; in planes it holds one channel of W pixels, and there are C steps.
template <class T, std::size_t W, std::size_t Count, bool Across>
struct layer_norm_tile {
  using vector = lanes<T, W>;
  static constexpr std::size_t pixels = Across ? Count : Count * W;
  static constexpr std::size_t run = 16;  // steps whose sum is added to the others

  struct normalizers {
    vector center[Count], rest[Count], scale[Count];

    SOFTSCORE_INLINE explicit normalizers(const normalizer* of_pixels) {
      for (std::size_t t = 0; t < Count; ++t)
        for (std::size_t lane = 0; lane < W; ++lane) {
          const normalizer& of = of_pixels[Across ? t : t * W + lane];
          const T mean = static_cast<T>(of.mean);
          center[t][lane] = mean;
          rest[t][lane] = static_cast<T>(of.mean - static_cast<double>(mean));
          scale[t][lane] = static_cast<T>(of.scale);
        }
    }
    SOFTSCORE_INLINE vector apply(std::size_t t, vector x) const { return ((x - center[t]) - rest[t]) * scale[t]; }
  };

  static std::size_t steps(const pixel_layout& s) { return s.channels / s.block; }
  static std::size_t step(const pixel_layout& s) { return s.plane * s.block; }
  // The position of a pixel in its image.
  static std::size_t place(const pixel_layout& s, std::size_t pixel) { return pixel * s.block; }

  SOFTSCORE_INLINE static vector parameter(const T* of, std::size_t step, T absent) {
    if (of == nullptr) return in_all_lanes<T, W>(absent);
    return Across ? load_lanes<T, W>(of + step * W) : in_all_lanes<T, W>(of[step]);
  }

  // sums[t] = the sum of body(step, t) over the steps.
  template <class Body>
  SOFTSCORE_INLINE static void over_steps(std::size_t count, vector (&sums)[Count], const Body& body) {
    for (vector& sum : sums) sum = vector{};
    for (std::size_t first = 0; first < count; first += run) {
      vector part[Count] = {};
      for (std::size_t k = first; k < (std::min)(count, first + run); ++k)
        unrolled<Count>([&](auto t) SOFTSCORE_INLINE_LAMBDA { part[t] += body(k, t); });
      unrolled<Count>([&](auto t) SOFTSCORE_INLINE_LAMBDA { sums[t] += part[t]; });
    }
  }

  // The sum over the channels of one pixel, from the sum over the steps.
  SOFTSCORE_INLINE static double over_channels(vector sum, std::size_t lane) {
    if constexpr (!Across) return static_cast<double>(sum[lane]);
    if constexpr (std::is_same_v<T, float>) return static_cast<double>(sum_of_lanes<W>(sum));
  }

  static void moments(const pixel_layout& s, const T* x, double epsilon, normalizer* of_pixels) {
    const std::size_t stride = step(s);
    vector pivot[Count], rest[Count], sum[Count];
    const auto moved = [&](std::size_t k, std::size_t t)
                           SOFTSCORE_INLINE_LAMBDA { return load_lanes<T, W>(x + k * stride + t * W) - pivot[t]; };
    for (std::size_t t = 0; t < Count; ++t) pivot[t] = load_or_spread<T, W>(x + t * W, !Across);
    over_steps(steps(s), sum, moved);
    const double one = 1 / static_cast<double>(s.channels);
    for (std::size_t t = 0; t < Count; ++t)
      for (std::size_t lane = 0; lane < (Across ? 1 : W); ++lane) {
        const double mean = over_channels(sum[t], lane) * one;
        of_pixels[t * (Across ? 1 : W) + lane].mean = static_cast<double>(pivot[t][lane]) + mean;
        if constexpr (Across)
          rest[t] = in_all_lanes<T, W>(static_cast<T>(mean));
        else
          rest[t][lane] = static_cast<T>(mean);
      }
    over_steps(steps(s), sum, [&](std::size_t k, std::size_t t) SOFTSCORE_INLINE_LAMBDA {
      const vector centered = moved(k, t) - rest[t];
      return centered * centered;
    });
    for (std::size_t t = 0; t < Count; ++t)
      for (std::size_t lane = 0; lane < (Across ? 1 : W); ++lane) {
        normalizer& of = of_pixels[t * (Across ? 1 : W) + lane];
        of = normalizer_of(of.mean, over_channels(sum[t], lane) * one, epsilon);
      }
  }

  static void forward(const pixel_layout& s, const normalizer* of_pixels, const T* x, const T* gain, const T* bias,
                      T* y) {
    const normalizers of{of_pixels};
    const std::size_t stride = step(s);
    for (std::size_t k = 0; k < steps(s); ++k) {
      const vector scale = parameter(gain, k, T(1)), offset = parameter(bias, k, T(0));
      unrolled<Count>([&](auto t) SOFTSCORE_INLINE_LAMBDA {
        const std::size_t i = k * stride + t * W;
        store_lanes(y + i, of.apply(t, load_lanes<T, W>(x + i)) * scale + offset);
      });
    }
  }

  // Sets dx (which may be dy); adds dy u and dy to of_gain and of_bias unless they are null.
  static void backward(const pixel_layout& s, const normalizer* of_pixels, const T* x, const T* gain, const T* dy,
                       T* dx, double* of_gain, double* of_bias) {
    const normalizers of{of_pixels};
    const std::size_t stride = step(s);
    vector sum_du[Count] = {}, sum_du_u[Count] = {};
    for (std::size_t first = 0; first < steps(s); first += run) {
      vector part[Count] = {}, product[Count] = {};
      for (std::size_t k = first; k < (std::min)(steps(s), first + run); ++k) {
        const vector g = parameter(gain, k, T(1));
        vector for_gain{}, for_bias{};
        unrolled<Count>([&](auto t) SOFTSCORE_INLINE_LAMBDA {
          const vector d = load_lanes<T, W>(dy + k * stride + t * W);
          const vector u = of.apply(t, load_lanes<T, W>(x + k * stride + t * W));
          for_gain += d * u;
          for_bias += d;
          part[t] += g * d;
          product[t] += g * d * u;
        });
        if (of_gain != nullptr) {
          for (std::size_t lane = 0; lane < W; ++lane) {
            of_gain[Across ? k * W + lane : k] += static_cast<double>(for_gain[lane]);
            of_bias[Across ? k * W + lane : k] += static_cast<double>(for_bias[lane]);
          }
        }
      }
      unrolled<Count>([&](auto t) SOFTSCORE_INLINE_LAMBDA {
        sum_du[t] += part[t];
        sum_du_u[t] += product[t];
      });
    }
    const double one = 1 / static_cast<double>(s.channels);
    for (std::size_t t = 0; t < Count; ++t)
      if constexpr (Across) {
        sum_du[t] = in_all_lanes<T, W>(static_cast<T>(over_channels(sum_du[t], 0) * one));
        sum_du_u[t] = in_all_lanes<T, W>(static_cast<T>(over_channels(sum_du_u[t], 0) * one));
      } else {
        sum_du[t] *= static_cast<T>(one);
        sum_du_u[t] *= static_cast<T>(one);
      }
    for (std::size_t k = 0; k < steps(s); ++k) {
      const vector g = parameter(gain, k, T(1));
      unrolled<Count>([&](auto t) SOFTSCORE_INLINE_LAMBDA {
        const std::size_t i = k * stride + t * W;
        const vector u = of.apply(t, load_lanes<T, W>(x + i)), du = g * load_lanes<T, W>(dy + i);
        store_lanes(dx + i, (du - sum_du[t] - u * sum_du_u[t]) * of.scale[t]);
      });
    }
  }
};

// Calls body(tile, pixel) for tiles that cover the pixels first .. last - 1: wide tiles as long as they fit.
template <class T, class Body>
void over_tiles(const pixel_layout& s, std::size_t first, std::size_t last, const Body& body) {
  constexpr std::size_t wide = lane_count<T>;
  const auto take = [&](auto tile) {
    for (; first + tile.pixels <= last; first += tile.pixels) body(tile, first);
  };
  if constexpr (std::is_same_v<T, float>)
    if (s.block > 1) {
      take(layer_norm_tile<T, wide, 8, true>{});
      return take(layer_norm_tile<T, wide, 1, true>{});
    }
  take(layer_norm_tile<T, wide, 4, false>{});
  take(layer_norm_tile<T, wide, 1, false>{});
  take(layer_norm_tile<T, 1, 1, false>{});
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
