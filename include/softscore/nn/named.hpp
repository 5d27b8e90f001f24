#pragma once

#include <concepts>
#include <cstddef>
#include <string>
#include <utility>

#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// A layer that places its parameters under its own name inside a container, instead of under a number. With the empty
/// name they are directly under the container's name.
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

// The layer inside `named`, and the name that a container gives to layer k.
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

// A layer that leaves activations unchanged in some passes, as dropout does outside training.
template <class L, class Pass>
concept MayPassThrough = requires(const L layer, const Pass& p) {
  { layer.passes_through(p) } -> std::same_as<bool>;
};

// A layer that can also do the work of the layer after it, as a norm can apply an activation: `a.absorb(b)` says
// whether it does.
template <class A, class B>
concept Absorbs = requires(A a, const B b) {
  { a.absorb(b) } -> std::same_as<bool>;
};
}  // namespace detail

}  // namespace softscore::inline SOFTSCORE_ABI
