#pragma once

#include <concepts>
#include <cstddef>
#include <string>
#include <utility>

#include <softscore/backend/concept.hpp>
#include <softscore/core/config.hpp>
#include <softscore/nn/network_input.hpp>
#include <softscore/nn/parameters.hpp>
#include <softscore/nn/planning.hpp>

namespace softscore::inline SOFTSCORE_ABI {

template <class E, class Be, class T>
using embedding_memory = decltype(std::declval<const E&>().memory(std::declval<planning<Be, T>&>()));

/// Turns the time, and everything else that is known about an image, into the features that layers add to activations:
/// `e.width()` of them, from parameters that `e.place` declares. `e.check(input, images)` throws `error` for inputs
/// that it does not accept. `e.forward(be, parameters, input, rows, memory)` returns (rows,E), where `rows` is 1 if the
/// same is known about all images. Layers add their gradients to `e.gradient(memory, rows)`; `e.backward(be,
/// parameters, gradients, rows, memory)` sets its slices of `gradients`.
template <class E, class Be, class T, class Time>
concept Embedding = requires(E e, const E constant, parameter_layout& layout, const std::string& name,
                             planning<Be, T>& with, const network_input<Time>& input, Be& be, std::size_t rows,
                             view_of<Be, const T> parameters, view_of<Be, T> gradients, embedding_memory<E, Be, T>& m) {
  { constant.width() } -> std::convertible_to<std::size_t>;
  e.place(layout, name);
  constant.check(input, rows);
  { constant.forward(be, parameters, input, rows, m) } -> std::convertible_to<view_of<Be, const T>>;
  { constant.gradient(m, rows) } -> std::same_as<view_of<Be, T>>;
  constant.backward(be, parameters, gradients, rows, m);
};

/// `e.planes(memory, rows)` are numbers (rows,P), from the last `forward`, that the network sees as constant planes
/// beside x; `e.d_planes(memory, rows)` takes their gradient before `backward`. Optional.
template <class E, class Be, class T>
concept GivesPlanes = requires(const E e, std::size_t rows, embedding_memory<E, Be, T>& m) {
  { e.planes(m, rows) } -> std::convertible_to<view_of<Be, const T>>;
  { e.d_planes(m, rows) } -> std::same_as<view_of<Be, T>>;
};

/// `e.scale_output(be, y, memory)` multiplies each image of the network's output, or of a gradient with respect to it,
/// by a number that depends on its time. Optional.
template <class E, class Be, class T>
concept ScalesOutput =
    requires(const E e, Be& be, view_of<Be, T> y, embedding_memory<E, Be, T>& m) { e.scale_output(be, y, m); };

}  // namespace softscore::inline SOFTSCORE_ABI
