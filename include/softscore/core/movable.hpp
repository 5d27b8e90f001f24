#pragma once

#include <type_traits>

#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// An object that can be move-constructed and move-assigned. `std::movable` also asks for swap and for the type that an
/// assignment returns, and so instantiates a hundred classes for each type.
template <class T>
concept Movable = !std::is_reference_v<T> && requires(T& from, T& to) {
  T{static_cast<T&&>(from)};
  to = static_cast<T&&>(from);
};

}  // namespace softscore::inline SOFTSCORE_ABI
