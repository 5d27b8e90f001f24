#pragma once

#include <cstddef>
#include <cstdint>

#include <softscore/backend/cuda/sums.hpp>
#include <softscore/backend/cuda/sums_of_parts.hpp>
#include <softscore/backend/group_norm_parameters.hpp>
#include <softscore/backend/joined_planes.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// z = ((x - center) - rest) scale + offset in a channel of an image. The mean is subtracted first, as a number of T and
// its remainder: x scale + offset would lose the digits that mean and x have in common.
template <class T>
struct alignas(16) channel_coefficients {
  T center, rest, scale, offset;

  SOFTSCORE_HD T centered(T x) const { return (x - center) - rest; }
};

// Mean and scale of each group of each image, and what follows for its channels: a block per group. The sums are of x
// minus its first element, and of the squares of that, in double. (mean - first)^2 is at most the variance times the
// number of elements, so cancellation costs at most that factor in the rounding of doubles, and usually nothing. Kernel
// argument: epsilon.
template <class T>
struct group_norm_moments_task {
  static constexpr std::uint32_t threads = 256, at_once = 4;
  joined_planes<const T> x;
  group_norm_parameters<T> of;
  normalizer* of_groups;
  channel_coefficients<T>* of_channels;
  std::size_t images, groups, plane;

  grid launch() const { return {images * groups, threads, 2 * threads * sizeof(double)}; }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte* arguments) const {
    const double epsilon = *reinterpret_cast<const double*>(arguments);
    double* sums = group.template shared<double>();
    const std::size_t n = group.block() / groups, width = of.channels / groups;
    const std::size_t first = group.block() % groups * width;
    const std::uint32_t size = narrow(width * plane), in_plane = narrow(plane);
    // The group may begin in one part of x and end in the other.
    const std::size_t in_first = first < x.of_first ? x.of_first - first : width;
    const std::uint32_t border = narrow((in_first < width ? in_first : width) * plane);
    const T *from = x.at(n, first), *rest = border < size ? x.at(n, x.of_first) : from;
    const double pivot = static_cast<double>(*from) + of.shift_of(n, first);
    group.each_thread([&](std::size_t thread) {
      double sum = 0, squares = 0;
      for (std::uint32_t i = narrow(thread); i < size; i += at_once * threads) {
        T values[at_once];
        SOFTSCORE_UNROLL
        for (std::uint32_t k = 0; k < at_once; ++k) {
          const std::uint32_t place = i + k * threads;
          values[k] = size - i <= k * threads ? T{} : place < border ? from[place] : rest[place - border];
        }
        SOFTSCORE_UNROLL
        for (std::uint32_t k = 0; k < at_once; ++k) {
          if (size - i <= k * threads) continue;
          const double shift = of.shift == nullptr ? 0 : of.shift_of(n, first + (i + k * threads) / in_plane);
          const double moved = static_cast<double>(values[k]) + shift - pivot;
          sum += moved;
          squares += moved * moved;
        }
      }
      sums[thread] = sum;
      sums[threads + thread] = squares;
    });
    add_up_each<2>(group, sums);
    group.each_thread([&](std::size_t t) {
      const double one = 1 / static_cast<double>(size), mean = sums[0] * one;
      const normalizer of_group = normalizer_of(pivot + mean, sums[threads] * one - mean * mean, epsilon);
      if (t == 0) of_groups[group.block()] = of_group;
      for (std::size_t c = first + t; c < first + width; c += threads) {
        const double center = of_group.mean - of.shift_of(n, c), factor = of.factor_of(n, c);
        const T rounded = static_cast<T>(center);
        of_channels[n * of.channels + c] = {rounded, static_cast<T>(center - static_cast<double>(rounded)),
                                            static_cast<T>(of_group.scale * of.gain_of(c) * factor),
                                            static_cast<T>(of.bias_of(c) * factor + of.offset_of(n, c))};
      }
    });
  }
};

// Calls body(image, channel, pixel) for the elements of a part of an image.
struct elements_of_channels {
  static constexpr std::uint32_t threads = 256, each = 4, part = each * threads;

  static grid launch(std::size_t images, std::size_t channels, std::size_t plane) {
    return {images * ceiling(channels * plane, part), threads, 0};
  }
  template <class Group, class Body>
  SOFTSCORE_HD static void each_element(Group& group, std::size_t channels, std::size_t plane, const Body& body) {
    const image_part at{group.block(), channels * plane, part};
    const std::uint32_t in_plane = narrow(plane), first = narrow(at.first);
    group.each_thread([&](std::size_t thread) {
      SOFTSCORE_UNROLL
      for (std::uint32_t k = 0; k < each; ++k) {
        const std::uint32_t i = narrow(thread) + k * threads;
        if (i < at.count) body(at.image, (first + i) / in_plane, (first + i) % in_plane);
      }
    });
  }
};

// y = then(z). y may be x.
template <class T, class Activation>
struct group_norm_task {
  joined_planes<const T> x;
  const channel_coefficients<T>* of_channels;
  T* y;
  std::size_t images, channels, plane;

  grid launch() const { return elements_of_channels::launch(images, channels, plane); }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    elements_of_channels::each_element(group, channels, plane, [&](std::size_t n, std::size_t c, std::size_t p) {
      const channel_coefficients<T> of = of_channels[n * channels + c];
      y[(n * channels + c) * plane + p] = Activation::value(of.centered(x.at(n, c)[p]) * of.scale + of.offset);
    });
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
