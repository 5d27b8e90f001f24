#pragma once

namespace softscore {

/// What can be moved, at its making and later. It asks less than `std::movable`, which instantiates a hundred classes
/// for each type that it is asked about.
template <class T>
concept Movable = requires(T& from, T& to) {
  T(static_cast<T&&>(from));
  to = static_cast<T&&>(from);
};

}  // namespace softscore
