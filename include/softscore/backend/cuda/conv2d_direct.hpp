#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <softscore/backend/conv2d_shape.hpp>
#include <softscore/backend/cuda/tasks.hpp>
#include <softscore/backend/joined_planes.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// Convolutions tap by tap, for any sizes. Output (y, x) and tap (row, column) meet at input (y stride + row - top, x
// stride + column - left), where top and left are of the padding. A thread computes up to four channels at one
// position, so that it uses what it reads for all of them. Loops for kernels of 1 x 1, 3 x 3 and 5 x 5 are unrolled;
// the size 0 stands for all others.

/// Calls f with the size of a square kernel, or 0, and the number of channels, of `channels`, that a thread computes.
template <class F>
void with_kernel_size(const kernel_size& kernel, std::size_t channels, const F& f) {
  const auto with = [&](auto size) {
    if (channels >= 4)
      f(size, std::integral_constant<std::size_t, 4>{});
    else
      f(size, std::integral_constant<std::size_t, 1>{});
  };
  if (kernel.is(1))
    with(std::integral_constant<std::size_t, 1>{});
  else if (kernel.is(3))
    with(std::integral_constant<std::size_t, 3>{});
  else if (kernel.is(5))
    with(std::integral_constant<std::size_t, 5>{});
  else
    with(std::integral_constant<std::size_t, 0>{});
}

// The taps that a position meets along one side of the plane that it reads: in step j, begin <= j < end, tap `tap` + j
// times a step between taps, at `source` + j times a step of one or minus one.
struct meetings {
  std::ptrdiff_t source;
  std::uint32_t tap, begin, end;
};
SOFTSCORE_HD inline meetings of_output(std::uint32_t place, std::uint32_t stride, std::uint32_t kernel,
                                       std::uint32_t before, std::uint32_t extent) {
  const std::uint32_t at = place * stride, left = at < extent + before ? extent + before - at : 0;
  return {static_cast<std::ptrdiff_t>(at) - static_cast<std::ptrdiff_t>(before), 0, at < before ? before - at : 0,
          left < kernel ? left : kernel};
}
SOFTSCORE_HD inline meetings of_input(std::uint32_t place, std::uint32_t stride, std::uint32_t kernel,
                                      std::uint32_t before, std::uint32_t out_extent) {
  const std::uint32_t at = (place + before) / stride, tap = (place + before) % stride;
  const std::uint32_t taps = tap < kernel ? (kernel - 1 - tap) / stride + 1 : 0;
  return {static_cast<std::ptrdiff_t>(at), tap, at < out_extent ? 0 : at + 1 - out_extent,
          taps < at + 1 ? taps : at + 1};
}

// The sum over the channels read and over the taps that a position meets in them.
template <class T, std::size_t Channels>
struct direct_sums {
  meetings down, across;
  std::ptrdiff_t width, source_step, tap_row, tap_step;  // a row of the source, a step in it, and those of the kernel
  const T* source;
  std::size_t source_each;
  const T* weight[Channels];
  std::size_t weight_each;
  T sums[Channels];

  // With at most Steps meetings along a side; `AllTaps` if every step has its tap, even where it meets nothing.
  template <std::size_t Steps, bool AllTaps>
  SOFTSCORE_HD void add(std::size_t channels) {
    source += down.source * width + across.source;
    for (const T*& w : weight) w += static_cast<std::ptrdiff_t>(down.tap) * tap_row + across.tap;
    if constexpr (Steps == 0) {
      for (std::size_t i = 0; i < channels; ++i) add_channel();
    } else {
      std::uint32_t inside = 0;
      SOFTSCORE_UNROLL
      for (std::uint32_t a = 0; a < Steps; ++a) {
        SOFTSCORE_UNROLL
        for (std::uint32_t b = 0; b < Steps; ++b)
          if (a >= down.begin && a < down.end && b >= across.begin && b < across.end) inside |= 1u << (a * Steps + b);
      }
      // Channels that are loaded at once.
      constexpr std::size_t ahead = Steps == 1 ? 8 : Steps == 5 ? 1 : Channels == 1 ? 4 : 2;
      std::size_t i = 0;
      for (; i + ahead <= channels; i += ahead) add_channels<Steps, AllTaps, ahead>(inside);
      for (; i < channels; ++i) add_channels<Steps, AllTaps, 1>(inside);
    }
  }

 private:
  SOFTSCORE_HD void add_channel() {
    for (std::ptrdiff_t a = down.begin; a < static_cast<std::ptrdiff_t>(down.end); ++a)
      for (std::ptrdiff_t b = across.begin; b < static_cast<std::ptrdiff_t>(across.end); ++b) {
        const T value = source[source_step * (a * width + b)];
        SOFTSCORE_UNROLL
        for (std::size_t c = 0; c < Channels; ++c) sums[c] += weight[c][a * tap_row * tap_step + b * tap_step] * value;
      }
    step(1);
  }
  template <std::size_t Steps, bool AllTaps, std::size_t Count>
  SOFTSCORE_HD void add_channels(std::uint32_t inside) {
    T values[Count][Steps * Steps];
    SOFTSCORE_UNROLL
    for (std::size_t i = 0; i < Count; ++i) {
      SOFTSCORE_UNROLL
      for (std::size_t tap = 0; tap < Steps * Steps; ++tap)
        values[i][tap] = (inside >> tap & 1u) != 0 ? (source + i * source_each)[source_offset<Steps>(tap)] : T{};
    }
    SOFTSCORE_UNROLL
    for (std::size_t i = 0; i < Count; ++i) {
      SOFTSCORE_UNROLL
      for (std::size_t c = 0; c < Channels; ++c) {
        SOFTSCORE_UNROLL
        for (std::size_t tap = 0; tap < Steps * Steps; ++tap)
          if (AllTaps || (inside >> tap & 1u) != 0)
            sums[c] += (weight[c] + i * weight_each)[weight_offset<Steps>(tap)] * values[i][tap];
      }
    }
    step(Count);
  }
  template <std::size_t Steps>
  SOFTSCORE_HD std::ptrdiff_t source_offset(std::size_t tap) const {
    return source_step * (static_cast<std::ptrdiff_t>(tap / Steps) * width + static_cast<std::ptrdiff_t>(tap % Steps));
  }
  template <std::size_t Steps>
  SOFTSCORE_HD std::ptrdiff_t weight_offset(std::size_t tap) const {
    return tap_step * (static_cast<std::ptrdiff_t>(tap / Steps) * tap_row + static_cast<std::ptrdiff_t>(tap % Steps));
  }
  SOFTSCORE_HD void step(std::size_t channels) {
    source += channels * source_each;
    for (const T*& w : weight) w += channels * weight_each;
  }
};

// A thread per position and `Channels` channels: f(image, first channel, row, column).
struct direct_places {
  static constexpr std::size_t threads = 128;

  static grid launch(std::size_t images, std::size_t places, std::size_t channels, std::size_t of_thread) {
    return {ceiling(images * places, threads) * ceiling(channels, of_thread), threads, 0};
  }
  template <class Group, class F>
  SOFTSCORE_HD static void each(Group& group, std::size_t images, std::size_t height, std::size_t width,
                                std::size_t channels, std::size_t of_thread, const F& f) {
    const std::uint32_t block = narrow(group.block()), sets = narrow(ceiling(channels, of_thread));
    const std::size_t places = height * width, first = std::size_t{block / sets} * threads;
    group.each_thread([&](std::size_t t) {
      const std::size_t image = (first + t) / places;
      const std::uint32_t place = narrow((first + t) % places);
      if (image < images) f(image, std::size_t{block % sets} * of_thread, place / narrow(width), place % narrow(width));
    });
  }
};

template <class T, std::size_t Kernel, std::size_t Channels>
struct direct_forward_task {
  static constexpr unsigned most_threads = direct_places::threads;
  joined_planes<const T> x;  // in one part except for kernels of 1 x 1
  const T* weight;
  const T* bias;  // or null
  T* y;
  conv2d_shape s;  // `images` is that of this batch, the padding is in numbers

  grid launch() const {
    return direct_places::launch(s.images, s.out_height() * s.out_width(), s.out_channels, Channels);
  }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    const kernel_size kernel = Kernel > 0 ? kernel_size{Kernel} : s.kernel;
    const std::size_t taps = kernel.taps(), out_width = s.out_width();
    const std::uint32_t stride = narrow(s.stride), top = narrow(s.padding.top), left = narrow(s.padding.left);
    direct_places::each(group, s.images, s.out_height(), out_width, s.out_channels, Channels,
                        [&](std::size_t image, std::size_t first, std::uint32_t row, std::uint32_t column) {
                          direct_sums<T, Channels> made{
                              of_output(row, stride, narrow(kernel.height), top, narrow(s.height)),
                              of_output(column, stride, narrow(kernel.width), left, narrow(s.width)),
                              static_cast<std::ptrdiff_t>(s.width),
                              1,
                              static_cast<std::ptrdiff_t>(kernel.width),
                              1,
                              x.at(image, 0),
                              s.height * s.width,
                              {},
                              taps,
                              {}};
                          SOFTSCORE_UNROLL
                          for (std::size_t c = 0; c < Channels; ++c) {
                            const std::size_t o = first + c < s.out_channels ? first + c : s.out_channels - 1;
                            made.weight[c] = weight + o * s.in_channels * taps;
                            made.sums[c] = bias == nullptr ? T{} : bias[o];
                          }
                          made.template add<Kernel, true>(x.of_first);
                          if constexpr (Kernel == 1) {
                            if (x.in_parts()) {
                              made.source = x.at(image, x.of_first);
                              made.template add<Kernel, true>(x.of_second);
                            }
                          }
                          const std::size_t places = s.out_height() * out_width;
                          T* const to = y + (image * s.out_channels + first) * places + row * out_width + column;
                          SOFTSCORE_UNROLL
                          for (std::size_t c = 0; c < Channels; ++c)
                            if (first + c < s.out_channels) to[c * places] = made.sums[c];
                        });
  }
};

// Stride 1, or 0 for others, which meet at most half of the taps along a side.
template <class T, std::size_t Kernel, std::size_t Channels, std::size_t Stride>
struct direct_input_gradient_task {
  static constexpr unsigned most_threads = direct_places::threads;
  const T* weight;
  const T* dy;
  T* dx;
  conv2d_shape s;

  grid launch() const { return direct_places::launch(s.images, s.height * s.width, s.in_channels, Channels); }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    const kernel_size kernel = Kernel > 0 ? kernel_size{Kernel} : s.kernel;
    const std::size_t taps = kernel.taps();
    const std::size_t out_height = Stride == 1 ? s.padded_height() - kernel.height + 1 : s.out_height(),
                      out_width = Stride == 1 ? s.padded_width() - kernel.width + 1 : s.out_width();
    const std::uint32_t stride = Stride == 1 ? 1 : narrow(s.stride);
    const std::uint32_t top = narrow(s.padding.top), left = narrow(s.padding.left);
    direct_places::each(
        group, s.images, s.height, s.width, s.in_channels, Channels,
        [&](std::size_t image, std::size_t first, std::uint32_t row, std::uint32_t column) {
          direct_sums<T, Channels> made{of_input(row, stride, narrow(kernel.height), top, narrow(out_height)),
                                        of_input(column, stride, narrow(kernel.width), left, narrow(out_width)),
                                        static_cast<std::ptrdiff_t>(out_width),
                                        -1,
                                        static_cast<std::ptrdiff_t>(kernel.width),
                                        static_cast<std::ptrdiff_t>(stride),
                                        dy + image * s.out_channels * out_height * out_width,
                                        out_height * out_width,
                                        {},
                                        s.in_channels * taps,
                                        {}};
          SOFTSCORE_UNROLL
          for (std::size_t c = 0; c < Channels; ++c)
            made.weight[c] = weight + (first + c < s.in_channels ? first + c : s.in_channels - 1) * taps;
          made.template add<Stride == 1 ? Kernel : (Kernel + 1) / 2, Stride == 1>(s.out_channels);
          const std::size_t plane = s.height * s.width;
          T* const to = dx + (image * s.in_channels + first) * plane + row * s.width + column;
          SOFTSCORE_UNROLL
          for (std::size_t c = 0; c < Channels; ++c)
            if (first + c < s.in_channels) to[c * plane] = made.sums[c];
        });
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
