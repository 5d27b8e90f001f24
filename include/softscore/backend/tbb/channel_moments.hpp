#pragma once

#include <algorithm>
#include <cstddef>

#include <softscore/backend/tbb/lanes.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// The mean and the sum of squared deviations from it.
struct channel_moments {
  double mean, squares;
};

// The moments of two sets together (Chan et al. 1979): no difference of large squares.
inline void join(channel_moments& a, double count_of_a, const channel_moments& b, double count_of_b) {
  const double apart = b.mean - a.mean, share = count_of_b / (count_of_a + count_of_b);
  a.mean += apart * share;
  a.squares += b.squares + apart * apart * count_of_a * share;
}

// How many vectors are summed in T before doubles take over.
inline constexpr std::size_t run_of_vectors = 64;

// The sum of body(k) over k < count in four parts, so that the additions do not wait for each other.
template <class T, std::size_t W, class Body>
SOFTSCORE_INLINE lanes<T, W> sum_of_vectors(std::size_t count, const Body& body) {
  lanes<T, W> part[4] = {};
  std::size_t i = 0;
  for (; i + 4 <= count; i += 4) unrolled<4>([&](auto k) SOFTSCORE_INLINE_LAMBDA { part[k] += body(i + k); });
  for (; i < count; ++i) part[0] += body(i);
  return (part[0] + part[1]) + (part[2] + part[3]);
}

// The moments of each lane of `count` vectors. A run of vectors, which stays in the cache, is read twice: for its mean
// and for the deviations from it. Both are computed after subtracting the first vector, so that a mean much larger than
// the deviations costs no digits.
template <class T, std::size_t W>
void moments_of_lanes(const T* x, std::size_t count, channel_moments* of) {
  for (std::size_t first = 0; first < count; first += run_of_vectors) {
    const std::size_t length = (std::min)(run_of_vectors, count - first);
    const T* run = x + first * W;
    const lanes<T, W> pivot = load_lanes<T, W>(run);
    const lanes<T, W> sum = sum_of_vectors<T, W>(
        length, [&](std::size_t k) SOFTSCORE_INLINE_LAMBDA { return load_lanes<T, W>(run + k * W) - pivot; });
    const lanes<T, W> rest = sum * (T(1) / static_cast<T>(length));
    const lanes<T, W> squares = sum_of_vectors<T, W>(length, [&](std::size_t k) SOFTSCORE_INLINE_LAMBDA {
      const lanes<T, W> centered = (load_lanes<T, W>(run + k * W) - pivot) - rest;
      return centered * centered;
    });
    const double one = 1 / static_cast<double>(length);
    for (std::size_t lane = 0; lane < W; ++lane) {
      const channel_moments of_run{static_cast<double>(pivot[lane]) + static_cast<double>(sum[lane]) * one,
                                   static_cast<double>(squares[lane])};
      if (first == 0)
        of[lane] = of_run;
      else
        join(of[lane], static_cast<double>(first), of_run, static_cast<double>(length));
    }
  }
}

// The moments of the channels of a row: of `block` channels whose pixels are interleaved, or of one channel.
template <class T>
void moments_of_row(const T* x, std::size_t plane, std::size_t block, channel_moments* of) {
  constexpr std::size_t wide = lane_count<T>;
  if (block > 1) return moments_of_lanes<T, wide>(x, plane, of);
  const std::size_t whole = plane / wide, rest = plane % wide;
  channel_moments of_lanes[wide], all{};
  if (whole > 0) {
    moments_of_lanes<T, wide>(x, whole, of_lanes);
    for (const channel_moments& lane : of_lanes) all.mean += lane.mean;
    all.mean /= static_cast<double>(wide);
    for (const channel_moments& lane : of_lanes)
      all.squares += lane.squares + static_cast<double>(whole) * (lane.mean - all.mean) * (lane.mean - all.mean);
  }
  if (rest > 0) {
    moments_of_lanes<T, 1>(x + whole * wide, rest, of_lanes);
    join(all, static_cast<double>(whole * wide), of_lanes[0], static_cast<double>(rest));
  }
  *of = all;
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
