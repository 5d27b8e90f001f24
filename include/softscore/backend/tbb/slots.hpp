#pragma once

#include <algorithm>
#include <cstddef>

#include <softscore/backend/tbb/backend.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// A sum over the images of a batch is computed in slots: runs of consecutive images, each summed in order by one
// thread; then the slots are added in order. The division of a batch depends only on its size, so the bits do not
// depend on the threads.
class batch_slots {
 public:
  static constexpr std::size_t most = 8;       // each costs a copy of the sum
  static constexpr std::size_t shortest = 16;  // images; fewer do not justify the copy

  explicit batch_slots(std::size_t images)
      : images_{images}, length_{(std::max)(shortest, (images + most - 1) / most)} {}

  std::size_t count() const { return (images_ + length_ - 1) / length_; }
  std::size_t first(std::size_t slot) const { return slot * length_; }
  std::size_t last(std::size_t slot) const { return (std::min)(images_, (slot + 1) * length_); }

 private:
  std::size_t images_, length_;
};

// The number of parts that `parallel_parts` makes of `count` tasks.
inline std::size_t parts_of(const tbb_backend& be, std::size_t count) { return (std::min)(be.threads(), count); }

// The blocks of channels that a gradient's task takes of a slot: all of them if the slots keep the threads busy,
// otherwise a part. The sums of a block are the same in any group.
inline std::size_t group_blocks(std::size_t threads, std::size_t slots, std::size_t blocks) {
  const bool busy = slots % threads == 0 || slots > 4 * threads;
  const std::size_t groups = busy ? 1 : (std::min)(blocks, threads);
  return (blocks + groups - 1) / groups;
}

// Calls body(part, i) for i = 0 .. count - 1. No two calls with the same part, a number below `parts_of(be, count)`,
// run at once, so a part may own scratch.
template <class Body>
void parallel_parts(tbb_backend& be, std::size_t count, const Body& body) {
  const std::size_t parts = parts_of(be, count);
  be.parallel(parts, [&](std::size_t part) {
    const std::size_t last = (part + 1) * count / parts;
    for (std::size_t i = part * count / parts; i < last; ++i) body(part, i);
  });
}

// sum[i] = slots[0][i] + slots[1][i] + ...; slot k begins at k * stride.
template <class T>
void add_slots(tbb_backend& be, const T* slots, std::size_t stride, std::size_t count, T* sum, std::size_t size) {
  constexpr std::size_t block = 4096;
  be.parallel((size + block - 1) / block, [&](std::size_t b) {
    const std::size_t last = (std::min)(size, (b + 1) * block);
    std::copy(slots + b * block, slots + last, sum + b * block);
    for (std::size_t k = 1; k < count; ++k)
      for (std::size_t i = b * block; i < last; ++i) sum[i] += slots[k * stride + i];
  });
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
