#pragma once

#include <cstddef>
#include <cstdint>

#include <softscore/backend/cuda/group.hpp>
#include <softscore/backend/cuda/tasks.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// Two sums over each image. One block per image would leave most of a GPU idle, so images are summed in parts, a block
// each, and the kernel that uses the sums adds the parts of its images. Pairs are contiguous, [part][2]. All sums add
// sixteen numbers at a time: a fixed order, with one barrier per sixteen where halving needs one per two.
inline constexpr std::size_t sum_lanes = 16, sum_threads = sum_lanes * sum_lanes;
inline constexpr std::size_t sum_part = 8 * sum_threads;  // elements of a part
SOFTSCORE_HD constexpr std::size_t sum_parts(std::size_t size) { return ceiling(size, sum_part); }

// The elements of one image that one of several blocks processes: `count` from `first` on.
struct image_part {
  std::size_t image, part, first;
  std::uint32_t count;

  SOFTSCORE_HD image_part(std::size_t block, std::size_t size, std::size_t length) {
    const auto parts = static_cast<std::uint32_t>(ceiling(size, length)), b = static_cast<std::uint32_t>(block);
    image = b / parts;
    part = b % parts;
    first = part * length;
    count = static_cast<std::uint32_t>(size - first < length ? size - first : length);
  }
};

// The sum of sixteen numbers that are `stride` apart; all are loaded before they are added.
SOFTSCORE_HD inline double add_sixteen(const double* values, std::size_t stride) {
  double sum = values[0];
  SOFTSCORE_UNROLL
  for (std::size_t k = 1; k < sum_lanes; ++k) sum += values[k * stride];
  return sum;
}

// Adds the pairs of the threads of a block, sums[256][2], into out[2].
template <class Group>
SOFTSCORE_HD void add_up_pairs(Group& group, double* sums, double* out) {
  group.each_thread([&](std::size_t t) {
    if (t < 2 * sum_lanes) sums[t] = add_sixteen(sums + t, 2 * sum_lanes);
  });
  group.each_thread([&](std::size_t t) {
    if (t < 2) out[t] = add_sixteen(sums + t, 2);
  });
}

// Stores one of sixteen shares of the sums over an image, a pair, into out[2].
SOFTSCORE_HD inline void add_parts(const double* parts_of_image, std::size_t size, std::size_t share, double* out) {
  const auto parts = static_cast<std::uint32_t>(sum_parts(size));
  double first = 0, second = 0;
  for (auto p = static_cast<std::uint32_t>(share); p < parts; p += sum_lanes) {
    first += parts_of_image[2 * p];
    second += parts_of_image[2 * p + 1];
  }
  out[0] = first;
  out[1] = second;
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
