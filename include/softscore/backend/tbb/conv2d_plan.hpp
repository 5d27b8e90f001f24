#pragma once

#include <array>
#include <cstddef>
#include <limits>
#include <string_view>

#include <softscore/backend/conv2d_shape.hpp>
#include <softscore/backend/tbb/conv2d_direct.hpp>
#include <softscore/backend/tbb/conv2d_fft.hpp>
#include <softscore/backend/tbb/conv2d_plain.hpp>
#include <softscore/backend/tbb/conv2d_pointwise.hpp>
#include <softscore/backend/tbb/conv2d_winograd.hpp>
#include <softscore/backend/tbb/simd.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The ways to convolve on the tbb backend, `automatic` being the one that is thought to be the fastest.
enum class conv2d_method { automatic, plain, direct, pointwise, winograd, transform_16, transform_32, transform_64 };

namespace detail {

inline constexpr std::size_t conv2d_methods = 8;

inline std::string_view name_of(conv2d_method method) {
  constexpr std::array<std::string_view, conv2d_methods> names{"automatic",
                                                               "plain loops",
                                                               "direct sum over blocks of channels",
                                                               "matrix product at every pixel",
                                                               "Winograd's tiles of 4 x 4 outputs",
                                                               "transform of length 16",
                                                               "transform of length 32",
                                                               "transform of length 64"};
  return names[static_cast<std::size_t>(method)];
}

// Whether a method can do a convolution in float.
inline bool serves(conv2d_method method, const conv2d_shape& s) {
  switch (method) {
    case conv2d_method::plain:
      return plain_conv2d<float, native_lanes>::serves(s);
    case conv2d_method::direct:
      return direct_conv2d<native_lanes>::serves(s);
    case conv2d_method::pointwise:
      return pointwise_conv2d<native_lanes>::serves(s);
    case conv2d_method::winograd:
      return winograd_conv2d<native_lanes>::serves(s);
    case conv2d_method::transform_16:
      return fft_conv2d<16, native_lanes>::serves(s);
    case conv2d_method::transform_32:
      return fft_conv2d<32, native_lanes>::serves(s);
    case conv2d_method::transform_64:
      return fft_conv2d<64, native_lanes>::serves(s);
    default:
      return false;
  }
}

// The time of one image's share of a forward and both backward passes, in nanoseconds of one thread. The forms are
// counts of vector operations, the constants what one of them took: fitted by hand to the times of all methods for 22
// convolutions of 1 to 128 channels, 8 to 60 pixels and kernels of 1 to 9, on one core of an AMD EPYC of the fourth
// generation (AVX-512). Other machines differ in the unit and less in the order, which is all that counts here.
inline double cost_of(conv2d_method method, const conv2d_shape& s) {
  const auto number = [](std::size_t n) { return static_cast<double>(n); };
  const double lanes = number(native_lanes), in = number(s.in_channels), out = number(s.out_channels);
  const double pairs = in * out / lanes, blocks = (in + out) / lanes;  // vectors of weights per tap, and per pixel
  const double taps = number(s.kernel.taps());
  const double places = number(s.out_height() * s.out_width());
  // Transforms of weights are shared by a batch. Its size is fixed here, so that an image has the same bits in any
  // batch.
  constexpr double images = 64;
  constexpr double product = 0.29;  // a vector times a number, added to a vector
  const auto transform = [&](std::size_t length, double of_plane) {
    const double bins = number(length * length / 2 + 2);
    const double tiles = number(plane_tiles{s.height, s.width, s.kernel.height / 2, length}.count());
    // Four products make a complex one, and spectra come from farther away than registers.
    return tiles * (3 * bins * pairs * 4 * product * 1.3 + 2.5 * blocks * of_plane) + 3 * pairs / images * of_plane;
  };
  switch (method) {
    case conv2d_method::plain: {
      const bool in_blocks = direct_conv2d<native_lanes>::serves(s);  // whose pixels lie apart
      return 3 * in * out * taps * places * (in_blocks ? 1 : 0.2);
    }
    case conv2d_method::direct: {
      // The gradient of a short row of taps waits for its own sums.
      const double waiting = s.kernel.width < 7 ? 3 : 0;
      return taps * pairs * 3 * places * product + pairs * places * waiting;
    }
    case conv2d_method::pointwise:
      return 3 * pairs * places * product * 1.1;
    case conv2d_method::winograd: {
      const double tiles = number((s.height + 3) / 4 * ((s.width + 3) / 4));
      return 3 * tiles * (36 * pairs * product + blocks * 200);
    }
    case conv2d_method::transform_16:
      return transform(16, 1200);
    case conv2d_method::transform_32:
      return transform(32, 7000);
    case conv2d_method::transform_64:
      return transform(64, 65000);
    default:
      return std::numeric_limits<double>::infinity();
  }
}

}  // namespace detail

/// The method that a convolution in float gets: `wanted`, or the cheapest by a model of the time of a training step.
/// Throws `error` if the wanted one cannot do it.
inline conv2d_method conv2d_plan(const conv2d_shape& s, conv2d_method wanted = conv2d_method::automatic) {
  if (wanted != conv2d_method::automatic) {
    require(detail::serves(wanted, s), "the method of a convolution", detail::name_of(wanted),
            "one that can do these sizes");
    return wanted;
  }
  conv2d_method best = conv2d_method::automatic;
  for (std::size_t k = 1; k < detail::conv2d_methods; ++k) {
    const auto method = static_cast<conv2d_method>(k);
    if (detail::serves(method, s) && detail::cost_of(method, s) < detail::cost_of(best, s)) best = method;
  }
  return best;
}

}  // namespace softscore::inline SOFTSCORE_ABI
