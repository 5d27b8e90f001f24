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
#include <softscore/backend/tbb/plane_tiles.hpp>
#include <softscore/backend/tbb/simd.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The convolution methods of the tbb backend; `automatic` chooses the one that is expected to be the fastest.
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

// The costs of the operations that are counted below, in nanoseconds of one thread.
struct conv2d_unit_costs {
  struct transform {
    double product, of_plane, of_weights;  // a vector times a number; a whole plane of vectors; a vector of kernels
  };
  double direct_product, direct_sum;  // the latter for a gradient of a short row of taps, which waits for its own sums
  double matrix_product;
  double winograd_product, winograd_tile, winograd_weights;
  transform length_16, length_32, length_64;
};

// Fitted to the times of all methods for 90 convolutions, of 16 to 512 channels, 2 to 128 pixels and kernels of 1 to 15
// (benchmarks/conv_methods), on one core of an AMD EPYC of the fourth generation: for 16 lanes with AVX-512 and for 8
// lanes with AVX2; 4 lanes use the latter. Other machines differ more in the unit than in the order, and only the order
// matters here.
inline constexpr conv2d_unit_costs unit_costs =
    native_lanes == 16
        ? conv2d_unit_costs{0.30,
                            0.67,
                            0.30,
                            0.32,
                            110,
                            125,
                            {0.246, 930, 3700},
                            {0.29, 3400, 13400},
                            {0.42, 8600, 43400}}
        : conv2d_unit_costs{
              0.20, 0.85, 0.16, 0.17, 60, 51, {0.196, 325, 1420}, {0.23, 420, 7500}, {0.275, 3100, 16800}};

// The time of one image's share of a forward and both backward passes, in nanoseconds of one thread.
inline double cost_of(conv2d_method method, const conv2d_shape& s) {
  const auto number = [](std::size_t n) { return static_cast<double>(n); };
  constexpr const conv2d_unit_costs& unit = unit_costs;
  const double lanes = number(native_lanes), in = number(s.in_channels), out = number(s.out_channels);
  const double pairs = in * out / lanes, blocks = (in + out) / lanes;  // vectors of weights per tap, and per pixel
  const double taps = number(s.kernel.taps());
  const double places = number(s.out_height() * s.out_width());
  // A batch shares the transforms of weights. Its size is fixed here, so that an image has the same bits in any batch.
  constexpr double images = 48;
  const auto transform = [&](std::size_t length, const conv2d_unit_costs::transform& of_length) {
    const plane_tiles tiles{s.height, s.width, s.kernel.height / 2, length};
    const double bins = number(length * length / 2 + 2);
    // Half of a plane's time is spent on its columns, the other half on the rows that are read.
    const double rows = number(tiles.at(tiles.count() / 2).rows.read()), part = (1 + rows / number(length)) / 2;
    // A complex product takes four products. The planes of x, dx and the others are transformed 5 times, 2.5 of either
    // side.
    return number(tiles.count()) *
               (3 * bins * pairs * 4 * of_length.product + 2.5 * blocks * of_length.of_plane * part) +
           3 * pairs / images * of_length.of_weights;
  };
  switch (method) {
    case conv2d_method::plain: {
      const bool in_blocks = direct_conv2d<native_lanes>::serves(s);  // whose pixels are not contiguous
      return 3 * in * out * taps * places * (in_blocks ? 1 : 0.2);
    }
    case conv2d_method::direct: {
      // Starting a row takes as long as one pixel.
      const double started = number(s.out_height() * (s.out_width() + 1));
      const double waiting = s.kernel.width < 7 ? unit.direct_sum : 0;
      return pairs * started * (3 * taps * unit.direct_product + waiting);
    }
    case conv2d_method::pointwise:
      return 3 * pairs * places * unit.matrix_product;
    case conv2d_method::winograd: {
      const double tiles = number((s.height + 3) / 4 * ((s.width + 3) / 4));
      return 3 * tiles * (36 * pairs * unit.winograd_product + blocks * unit.winograd_tile) +
             3 * pairs / images * unit.winograd_weights;
    }
    case conv2d_method::transform_16:
      return transform(16, unit.length_16);
    case conv2d_method::transform_32:
      return transform(32, unit.length_32);
    case conv2d_method::transform_64:
      return transform(64, unit.length_64);
    default:
      return std::numeric_limits<double>::infinity();
  }
}

}  // namespace detail

/// Returns the method of a convolution in float: `wanted`, or the cheapest one by a model of the time of a training
/// step. Throws `error` if the wanted one cannot do it.
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
