#pragma once

#include <cstddef>

#include <softscore/backend/concept.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// One channel of one image as the body of `map_planes` reads it: `in(row, column)` is a number. A backend that
/// processes several channels at once passes a plane with the same interface whose values are vectors of numbers, one
/// for each channel.
template <class T>
struct plane_of {
  using scalar = T;
  using value = T;

  const T* data;
  std::size_t height, width;

  SOFTSCORE_HD value operator()(std::size_t row, std::size_t column) const { return data[row * width + column]; }
};

namespace detail {
// A body of one plane, and of two.
struct plane_probe {
  template <class Plane>
  SOFTSCORE_HD typename Plane::value operator()(const Plane& in, std::size_t row, std::size_t column) const {
    return in(row, column);
  }
  template <class Plane>
  SOFTSCORE_HD typename Plane::value operator()(const Plane& a, const Plane& b, std::size_t row,
                                                std::size_t column) const {
    return a(row, column) + b(row, column);
  }
};
}  // namespace detail

}  // namespace softscore::inline SOFTSCORE_ABI
