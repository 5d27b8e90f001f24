#pragma once

#include <cstddef>
#include <cstdint>

#include <softscore/backend/bodies.hpp>
#include <softscore/backend/cuda/sums_of_parts.hpp>
#include <softscore/backend/serial/layer_norm_gelu.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// For every part of an image the sums of x - pivot and of its square, so that mean and variance take one pass. The
// pivot is the image's first element. (mean - pivot)^2 is one of the squares that make up the variance, so it is at
// most `size` times the variance, and cancellation costs at most that factor in the rounding of doubles, usually
// nothing.
template <class T>
struct layer_norm_sums_task {
  static constexpr std::uint32_t each = sum_part / sum_threads, threads = sum_threads;
  const T* x;
  double* of_parts;
  std::size_t images, size;

  grid launch() const { return {images * sum_parts(size), threads, 2 * threads * sizeof(double)}; }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    double* sums = group.template shared<double>();
    const image_part at{group.block(), size, sum_part};
    const T* image = x + at.image * size;
    group.each_thread([&](std::size_t thread) {
      const auto t = static_cast<std::uint32_t>(thread);
      const T* from = image + at.first + t;
      const T pivot = *image;
      T values[each];
      SOFTSCORE_UNROLL
      for (std::uint32_t k = 0; k < each; ++k)
        values[k] = t + k * threads < at.count ? from[k * threads] : pivot;  // elements that do not exist add nothing
      double sum = 0, squares = 0;
      SOFTSCORE_UNROLL
      for (std::uint32_t k = 0; k < each; ++k) {
        const double moved = static_cast<double>(values[k]) - static_cast<double>(pivot);
        sum += moved;
        squares += moved * moved;
      }
      sums[2 * t] = sum;
      sums[2 * t + 1] = squares;
    });
    add_up_pairs(group, sums, of_parts + 2 * group.block());
  }
};

// y = GELU(gain u + bias) + shift, a block per part of an image, which adds the sums of all parts first. The values
// that differ between images are loaded meanwhile.
template <class T>
struct layer_norm_gelu_task {
  static constexpr std::uint32_t threads = sum_threads, each = sum_part / threads, at_once = 16 / sizeof(T);
  struct elements {
    T x[each], shift[each];
  };
  const T* x;
  const T* gain;
  const T* bias;
  const T* shift;  // null for none
  T* y;
  const double* of_parts;
  moments<T>* of_images;
  std::size_t images, channels, plane;
  std::size_t shift_each;  // channels for a shift per image, 0 for one for all

  grid launch() const {
    return {images * sum_parts(channels * plane), threads, 2 * sum_lanes * sizeof(double) + sizeof(moments<T>)};
  }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    double* sums = group.template shared<double>();
    auto* shared_moments = reinterpret_cast<moments<T>*>(sums + 2 * sum_lanes);
    typename Group::template own<elements> own{group};
    const std::size_t size = channels * plane;
    const image_part at{group.block(), size, sum_part};
    group.each_thread([&](std::size_t t) {
      load(at, static_cast<std::uint32_t>(t), own(t));
      if (t < sum_lanes) add_parts(of_parts + at.image * 2 * sum_parts(size), size, t, sums + 2 * t);
      if (t == 2 * sum_lanes) shared_moments->mean = x[at.image * size];  // the pivot, until the mean is known
    });
    group.each_thread([&](std::size_t t) {
      if (t < 2) sums[t] = add_sixteen(sums + t, 2);
    });
    group.each_thread([&](std::size_t t) {
      if (t != 0) return;
      const double one = 1 / static_cast<double>(size), mean = sums[0] * one, variance = sums[1] * one - mean * mean;
      const moments<T> of{static_cast<T>(static_cast<double>(shared_moments->mean) + mean),
                          static_cast<T>(1 / std::sqrt((variance < 0 ? 0 : variance) + layer_norm_epsilon))};
      *shared_moments = of;
      if (at.part == 0) of_images[at.image] = of;
    });
    group.each_thread([&](std::size_t t) { normalize(at, *shared_moments, static_cast<std::uint32_t>(t), own(t)); });
  }

 private:
  SOFTSCORE_HD void load(const image_part& at, std::uint32_t t, elements& to) const {
    const T* xs = x + at.image * channels * plane + at.first + t;
    // The channel is found once by division, and from there by steps.
    const auto in_plane = static_cast<std::uint32_t>(plane), first = static_cast<std::uint32_t>(at.first) + t;
    const std::uint32_t step = threads / in_plane, rest_of_step = threads % in_plane;
    std::uint32_t channel = first / in_plane, rest = first % in_plane;
    SOFTSCORE_UNROLL
    for (std::uint32_t k = 0; k < each; ++k) {
      const bool inside = t + k * threads < at.count;
      to.x[k] = inside ? xs[k * threads] : T{};
      to.shift[k] = inside && shift != nullptr ? shift[at.image * shift_each + channel] : T{};
      channel += step;
      rest += rest_of_step;
      if (rest >= in_plane) {
        rest -= in_plane;
        ++channel;
      }
    }
  }
  SOFTSCORE_HD void normalize(const image_part& at, moments<T> of, std::uint32_t t, const elements& from) const {
    const T* gains = gain + at.first + t;
    const T* biases = bias + at.first + t;
    T* ys = y + at.image * channels * plane + at.first + t;
    SOFTSCORE_UNROLL
    for (std::uint32_t begin = 0; begin < each; begin += at_once) {
      T g[at_once], b[at_once];
      SOFTSCORE_UNROLL
      for (std::uint32_t k = 0; k < at_once; ++k) {
        const std::uint32_t i = (begin + k) * threads;
        g[k] = t + i < at.count ? gains[i] : T{};
        b[k] = t + i < at.count ? biases[i] : T{};
      }
      SOFTSCORE_UNROLL
      for (std::uint32_t k = 0; k < at_once; ++k) {
        const std::uint32_t i = (begin + k) * threads;
        const T u = (from.x[begin + k] - of.mean) * of.scale;
        const T value = gelu::value(g[k] * u + b[k]) + from.shift[begin + k];
        if (t + i < at.count) ys[i] = value;
      }
    }
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
