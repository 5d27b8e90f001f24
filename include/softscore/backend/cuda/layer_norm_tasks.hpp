#pragma once

#include <cstddef>
#include <cstdint>

#include <softscore/backend/cuda/group_norm_backward.hpp>
#include <softscore/backend/cuda/sums.hpp>
#include <softscore/backend/group_norm_parameters.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// u = ((x - center) - rest) scale at a pixel of an image.
template <class T>
struct pixel_coefficients {
  T center, rest, scale;

  SOFTSCORE_HD T apply(T x) const { return ((x - center) - rest) * scale; }
};

// A block of a layer norm: neighboring pixels of an image, so that neighboring threads read neighboring elements, and
// several threads per pixel that share the channels.
struct pixel_block {
  static constexpr std::uint32_t pixels = 32, shares = 8, threads = pixels * shares;

  std::size_t image, first;

  static grid launch(std::size_t images, std::size_t plane, std::size_t bytes_per_pixel) {
    return {images * ceiling(plane, pixels), threads, 2 * threads * sizeof(double) + pixels * bytes_per_pixel};
  }
  SOFTSCORE_HD pixel_block(std::size_t block, std::size_t plane)
      : image{block / ceiling(plane, pixels)}, first{block % ceiling(plane, pixels) * pixels} {}

  // The sum for a pixel over its threads; value k of thread t is at k threads + t.
  SOFTSCORE_HD static double over_shares(const double* values) {
    double sum = 0;
    SOFTSCORE_UNROLL
    for (std::uint32_t k = 0; k < shares; ++k) sum += values[k * pixels];
    return sum;
  }
};

// y = u gain + bias, and the coefficients of every pixel, from sums like those of `group_norm_moments_task`. y may be
// x. Kernel argument: epsilon.
template <class T>
struct layer_norm_task {
  const T* x;
  const T* gain;  // null for 1
  const T* bias;  // null for 0
  T* y;
  pixel_coefficients<T>* of_pixels;
  std::size_t images, channels, plane;

  grid launch() const { return pixel_block::launch(images, plane, sizeof(pixel_coefficients<T>)); }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte* arguments) const {
    const double epsilon = *reinterpret_cast<const double*>(arguments);
    double* sums = group.template shared<double>();
    auto* coefficients = reinterpret_cast<pixel_coefficients<T>*>(sums + 2 * pixel_block::threads);
    const pixel_block at{group.block(), plane};
    const std::size_t first = at.image * channels * plane + at.first;
    group.each_thread([&](std::size_t t) {
      const std::size_t pixel = t % pixel_block::pixels;
      double sum = 0, squares = 0;
      if (at.first + pixel < plane) {
        const T* from = x + first + pixel;
        for (std::size_t c = t / pixel_block::pixels; c < channels; c += pixel_block::shares) {
          const double moved = static_cast<double>(from[c * plane]) - static_cast<double>(*from);
          sum += moved;
          squares += moved * moved;
        }
      }
      sums[t] = sum;
      sums[pixel_block::threads + t] = squares;
    });
    group.each_thread([&](std::size_t t) {
      if (t >= pixel_block::pixels || at.first + t >= plane) return;
      const double one = 1 / static_cast<double>(channels), mean = pixel_block::over_shares(sums + t) * one;
      const double squares = pixel_block::over_shares(sums + pixel_block::threads + t) * one;
      const normalizer of = normalizer_of(static_cast<double>(x[first + t]) + mean, squares - mean * mean, epsilon);
      const T center = static_cast<T>(of.mean);
      coefficients[t] = {center, static_cast<T>(of.mean - static_cast<double>(center)), static_cast<T>(of.scale)};
      of_pixels[at.image * plane + at.first + t] = coefficients[t];
    });
    group.each_thread([&](std::size_t t) {
      const std::size_t pixel = t % pixel_block::pixels;
      if (at.first + pixel >= plane) return;
      const pixel_coefficients<T> of = coefficients[pixel];
      for (std::size_t c = t / pixel_block::pixels; c < channels; c += pixel_block::shares) {
        const std::size_t i = first + c * plane + pixel;
        y[i] = of.apply(x[i]) * (gain == nullptr ? T(1) : gain[c]) + (bias == nullptr ? T(0) : bias[c]);
      }
    });
  }
};

// dx; it may be dy, since only this block reads its pixels.
template <class T>
struct layer_norm_backward_task {
  const T* x;
  const T* gain;  // null for 1
  const T* dy;
  const pixel_coefficients<T>* of_pixels;
  T* dx;
  std::size_t images, channels, plane;

  grid launch() const { return pixel_block::launch(images, plane, 0); }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    double* sums = group.template shared<double>();
    const pixel_block at{group.block(), plane};
    const std::size_t first = at.image * channels * plane + at.first;
    group.each_thread([&](std::size_t t) {
      const std::size_t pixel = t % pixel_block::pixels;
      double sum = 0, product = 0;
      if (at.first + pixel < plane) {
        const pixel_coefficients<T> of = of_pixels[at.image * plane + at.first + pixel];
        for (std::size_t c = t / pixel_block::pixels; c < channels; c += pixel_block::shares) {
          const std::size_t i = first + c * plane + pixel;
          const double du = static_cast<double>(dy[i]) * (gain == nullptr ? 1 : static_cast<double>(gain[c]));
          sum += du;
          product += du * static_cast<double>(of.apply(x[i]));
        }
      }
      sums[t] = sum;
      sums[pixel_block::threads + t] = product;
    });
    group.each_thread([&](std::size_t t) {
      if (t >= pixel_block::pixels) return;
      const double one = 1 / static_cast<double>(channels);
      sums[t] = pixel_block::over_shares(sums + t) * one;
      sums[pixel_block::threads + t] = pixel_block::over_shares(sums + pixel_block::threads + t) * one;
    });
    group.each_thread([&](std::size_t t) {
      const std::size_t pixel = t % pixel_block::pixels;
      if (at.first + pixel >= plane) return;
      const pixel_coefficients<T> of = of_pixels[at.image * plane + at.first + pixel];
      const T mean_du = static_cast<T>(sums[pixel]);
      const T mean_du_u = static_cast<T>(sums[pixel_block::threads + pixel]);
      for (std::size_t c = t / pixel_block::pixels; c < channels; c += pixel_block::shares) {
        const std::size_t i = first + c * plane + pixel;
        const T du = dy[i] * (gain == nullptr ? T(1) : gain[c]);
        dx[i] = (du - mean_du - of.apply(x[i]) * mean_du_u) * of.scale;
      }
    });
  }
};

// An image's share of the gradients of bias and gain, a block per channel of an image.
template <class T>
struct pixel_norm_sums_task {
  static constexpr std::uint32_t threads = 64;
  const T* x;
  const T* dy;
  const pixel_coefficients<T>* of_pixels;
  gradient_sums* shares;
  std::size_t images, channels, plane;

  grid launch() const { return {images * channels, threads, 2 * threads * sizeof(double)}; }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    double* sums = group.template shared<double>();
    const std::size_t image = group.block() / channels;
    group.each_thread([&](std::size_t t) {
      double sum = 0, product = 0;
      for (std::size_t p = t; p < plane; p += threads) {
        const double d = static_cast<double>(dy[group.block() * plane + p]);
        sum += d;
        product += d * static_cast<double>(of_pixels[image * plane + p].apply(x[group.block() * plane + p]));
      }
      sums[t] = sum;
      sums[threads + t] = product;
    });
    add_up_each<2>(group, sums);
    group.each_thread([&](std::size_t t) {
      if (t == 0) shares[group.block()] = {sums[0], sums[threads], 0};
    });
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
