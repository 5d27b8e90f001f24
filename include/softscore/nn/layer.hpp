#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <softscore/backend/operations.hpp>
#include <softscore/core/conditioning.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/noise.hpp>
#include <softscore/nn/network_input.hpp>
#include <softscore/nn/parameters.hpp>
#include <softscore/nn/planning.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Where one array of a layer lies in the flat arrays of a network's parameters and of their gradients.
struct parameter_slice {
  std::size_t offset{};
  shape extent{};

  /// The array's part of a flat array; empty if the flat array is empty, or if there is no such array.
  template <class V>
  V in(V flat) const {
    return flat.empty() || extent.images == 0 ? V{} : flat.slice(offset, extent);
  }
};

/// Layers declare their parameters here before a network runs. It holds the layout of the flat array, and what a layer
/// needs to know about its network.
class placement {
 public:
  /// `embedding` is the number of features of an image's embedding; 0 if there is none.
  explicit placement(parameter_layout& to, std::size_t embedding = 0) : layout_{to}, embedding_{embedding} {}

  parameter_layout& layout() { return layout_; }
  /// Declares an array of one to four sizes, whose initial values are uniform in [start - spread, start + spread].
  /// Views of it have the shape of the sizes; a view of a vector is (1,C,1,1).
  template <class = when_called>
  parameter_slice add(std::string name, const std::vector<std::size_t>& sizes, double start, double spread) {
    require(!sizes.empty() && sizes.size() <= 4, "the number of sizes of a parameter array", sizes.size(),
            "between 1 and 4");
    const auto size = [&](std::size_t k) { return k < sizes.size() ? sizes[k] : 1; };
    const shape extent = sizes.size() == 1 ? shape{1, sizes[0], 1, 1} : shape{size(0), size(1), size(2), size(3)};
    return {layout_.add(std::move(name), sizes, start, spread), extent};
  }
  std::size_t embedding() const { return embedding_; }
  /// Returns the number of a dropout layer, counted in the order in which layers are placed. Throws `error` for more
  /// layers than the key of their masks can number.
  std::uint8_t next_dropout() {
    require(dropouts_ < noise_key::draws, "number of dropout layers", dropouts_ + 1,
            "at most " + std::to_string(noise_key::draws));
    return static_cast<std::uint8_t>(dropouts_++);
  }

 private:
  parameter_layout& layout_;
  std::size_t embedding_, dropouts_{};
};

/// What the layers of a network share in one pass over it. An empty view means absent or not wanted.
template <class Be, class T>
struct pass {
  view_of<Be, const T> parameters{};  ///< of the whole network, flat
  view_of<Be, T> gradients{};         ///< likewise: every layer sets its own slices
  view_of<Be, const T> embedding{};   ///< (N,E), or (1,E) for all images: time, class, everything known about an image
  view_of<Be, T> d_embedding{};       ///< (N,E), initially zero: layers add to it
  std::size_t images{};               ///< N
  std::optional<dropout_draw> dropout{};  ///< empty unless the network is being trained
  view_of<Be, const T> planes{};          ///< (N,P), or (1,P): numbers that a network sees as constant planes beside x
  view_of<Be, T> d_planes{};              ///< (N,P)
  std::span<const class_label> labels{};  ///< of the images, on the host, in the forward pass; empty: none
};

template <class L, class Be, class T>
using memory_of = decltype(std::declval<const L&>().memory(std::declval<planning<Be, T>&>(), shape{}));

/// `l.place(to, name, in)` declares the parameters under a name, for inputs of the shape `in`, and returns the shape of
/// the output; a height and width of 0 mean that they are not known yet. `l.output(in)` is that shape. Both throw
/// `error` for inputs that the layer cannot take.
template <class L>
concept PlacesParameters = requires(L l, const L constant, placement& to, const std::string& name, const shape& in) {
  { l.place(to, name, in) } -> std::same_as<shape>;
  { constant.output(in) } -> std::same_as<shape>;
};

/// `l.memory(with, in)` makes, once, all memory that the passes write to and share.
template <class L, class Be, class T>
concept PlansMemory = requires(const L l, planning<Be, T>& with, const shape& in) { l.memory(with, in); };

/// `l.prepare(be, parameters, memory)` is called after the parameters changed; `l.forward(be, pass, x, y, memory)` sets
/// y; `l.backward(be, pass, x, dy, dx, memory)`, with the x of the last forward pass, sets dx unless it is empty. dx
/// must not be dy.
template <class L, class Be, class T>
concept RunsBothWays =
    PlansMemory<L, Be, T> && requires(const L l, Be& be, const pass<Be, T>& p, view_of<Be, const T> in,
                                      view_of<Be, T> out, memory_of<L, Be, T>& m) {
      l.prepare(be, in, m);
      l.forward(be, p, in, out, m);
      l.backward(be, p, in, in, out, m);
    };

/// A part of a network: a value that maps activations to activations and composes with others into larger layers.
/// Gradients of parameters are set. Those of activations are set too, except that they are added where paths meet.
/// Models: conv2d, conv2d_transposed, group_norm, layer_norm, layer_norm_gelu, activate, dropout_layer, attention,
/// dense, add_embedding, resize_bilinear, conv_relu, those of pooling.hpp and resampling.hpp, and the containers
/// sequential, residual, skip_concat, parallel, repeated and recompute.
template <class L, class Be, class T>
concept Layer = PlacesParameters<L> && RunsBothWays<L, Be, T>;

namespace detail {
// The element body x = 0. (Not a class's member, because a kernel must see it.)
struct set_zero {
  template <class T>
  SOFTSCORE_HD void operator()(T& x) const {
    x = T{};
  }
};
}  // namespace detail

/// The memory of a layer that needs none.
template <class Be, class T>
struct no_memory {};

/// Base of layers whose plans do not depend on the parameters.
struct prepares_nothing {
  template <class Be, class V, class M>
  void prepare(Be&, const V& /*parameters*/, M&) const {}
};

/// Base of layers that keep nothing between the passes: no plan, no activation.
struct stateless_layer : prepares_nothing {
  template <class Be, class T>
  no_memory<Be, T> memory(planning<Be, T>&, const shape&) const {
    return {};
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI
