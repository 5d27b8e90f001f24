#pragma once

#include <type_traits>

#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// An object that can be moved, at its making and later. `std::movable` asks besides for swapping and for what an
/// assignment returns, and instantiates a hundred classes for each type that it is asked about.
template <class T>
concept Movable = !std::is_reference_v<T> && requires(T& from, T& to) {
  T{static_cast<T&&>(from)};
  to = static_cast<T&&>(from);
};

}  // namespace softscore::inline SOFTSCORE_ABI
