#pragma once

#include <concepts>
#include <cstddef>
#include <string>
#include <utility>

#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// A layer that places its parameters under a name of its own inside a container, instead of a number; the empty name
/// puts them directly under the container's.
template <class L>
struct named {
  std::string name;
  L layer;

  named(std::string called, L inner) : name{std::move(called)}, layer{std::move(inner)} {}
};

namespace detail {
template <class L>
struct unnamed_layer {
  using type = L;
};
template <class L>
struct unnamed_layer<named<L>> {
  using type = L;
};
template <class L>
using unnamed = typename unnamed_layer<L>::type;

inline std::string joined_name(const std::string& outer, const std::string& inner) {
  return outer.empty() ? inner : inner.empty() ? outer : outer + "." + inner;
}

// What a container calls its layer number k.
template <class L>
const L& layer_of(const L& layer) {
  return layer;
}
template <class L>
L& layer_of(L& layer) {
  return layer;
}
template <class L>
const L& layer_of(const named<L>& with_name) {
  return with_name.layer;
}
template <class L>
L& layer_of(named<L>& with_name) {
  return with_name.layer;
}
template <class L>
std::string name_of_layer(const L&, std::size_t k) {
  return std::to_string(k);
}
template <class L>
std::string name_of_layer(const named<L>& with_name, std::size_t) {
  return with_name.name;
}

// A layer whose backward pass may write dx over dy.
template <class L>
concept BackwardInPlace = requires { requires L::backward_in_place; };

// A layer that leaves activations as they are in some passes, as dropout does where nobody trains.
template <class L, class Pass>
concept MayPassThrough = requires(const L layer, const Pass& p) {
  { layer.passes_through(p) } -> std::same_as<bool>;
};

// A layer that takes over what the one after it does, as a norm takes over an activation: `a.absorb(b)` says whether.
template <class A, class B>
concept Absorbs = requires(A a, const B b) {
  { a.absorb(b) } -> std::same_as<bool>;
};
}  // namespace detail

}  // namespace softscore::inline SOFTSCORE_ABI
