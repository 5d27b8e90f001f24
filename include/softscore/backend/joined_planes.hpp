#pragma once

#include <cstddef>

#include <softscore/backend/joined_view.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// The planes of an activation in one part or two, for loops and for kernels.
template <class T>
struct joined_planes {
  T *first, *second;
  std::size_t of_first, of_second, plane;  // channels; pixels

  joined_planes() = default;
  template <class Space>
  explicit joined_planes(const joined_view<T, Space>& of) : joined_planes{of, of} {}
  // Parts of `of` may be empty, unlike those of `sizes`.
  template <class U, class Space>
  joined_planes(const joined_view<T, Space>& of, const joined_view<U, Space>& sizes)
      : first{raw(of.first)},
        second{raw(of.second)},
        of_first{sizes.first.extent().channels},
        of_second{sizes.in_parts() ? sizes.second.extent().channels : 0},
        plane{sizes.first.extent().plane()} {}

  SOFTSCORE_HD bool in_parts() const { return of_second > 0; }
  // Where channel c of image n begins, or the block whose first channel it is; null if its part is empty.
  SOFTSCORE_HD T* at(std::size_t n, std::size_t c) const {
    return c < of_first ? moved(first, n * of_first + c) : moved(second, n * of_second + c - of_first);
  }

 private:
  SOFTSCORE_HD T* moved(T* from, std::size_t channels) const {
    return from == nullptr ? from : from + channels * plane;
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
