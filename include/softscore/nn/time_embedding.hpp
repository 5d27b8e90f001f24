#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <numbers>
#include <string>
#include <vector>

#include <softscore/backend/archetype_operations.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/quantity.hpp>
#include <softscore/nn/embedding.hpp>
#include <softscore/nn/linear.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {
inline std::array<double, 32> features_of(double t) {
  std::array<double, 32> features{};
  double frequency = 0;
  for (std::size_t k = 0; k < 16; ++k) {
    features[k] = std::sin(frequency * t);
    features[16 + k] = std::cos(frequency * t) - 1;
    frequency = k == 0 ? 2 * std::numbers::pi : frequency * 1.5;
  }
  return features;
}
}  // namespace detail

/// Returns the 32 numbers that represent a time: sin(f t) for f = 0 and 2 pi 1.5^k, k = 0 .. 14, then cos(f t) - 1 for
/// the same f (Knottenbelt n.d., Section 1a).
inline std::array<double, 32> time_features(diffusion_time t) { return detail::features_of(t.value); }

/// The embedding of time of Knottenbelt n.d., Section 1a: 32 features, then the four dense layers 32 -> 128 -> 128 ->
/// 128 -> C, with GELU between them but not at the end. It uses only the time of an image.
class time_embedding {
 public:
  static constexpr std::size_t features = 32, hidden = 128, depth = 4;

  explicit time_embedding(std::size_t width) : width_{width} {}

  /// C.
  std::size_t width() const { return width_; }
  void place(parameter_layout& layout, const std::string& name) {
    layers_.assign({linear{layout, name + ".0", features, hidden}, linear{layout, name + ".2", hidden, hidden},
                    linear{layout, name + ".4", hidden, hidden}, linear{layout, name + ".6", hidden, width_}});
  }
  /// Throws `error` for labels or features, because this embedding cannot use them.
  template <NetworkTime Time>
    requires(std::same_as<Time, diffusion_time> || std::same_as<Time, c_noise>)
  void check(const network_input<Time>& input, std::size_t) const {
    require(input.given.labels.empty(), "labels given to a network", input.given.labels.size(),
            "none, for this network takes no labels");
    require(input.given.features.empty(), "features given to a network", input.given.features.extent(),
            "none, for this network takes no features");
  }

  template <class Be, class T>
  struct state {
    std::vector<T> host_features;
    array_of<Be, T> features;                // (N,32)
    std::vector<array_of<Be, T>> pre, post;  // before and after GELU: (N,128) three times, then (N,C)
    std::vector<array_of<Be, T>> d;          // gradients with respect to pre
  };
  template <class Be, class T>
  state<Be, T> memory(planning<Be, T>& with) const {
    const std::size_t images = with.images();
    Be& be = with.backend();
    state<Be, T> m{std::vector<T>(images * features), be.template make<T>({images, features, 1, 1}), {}, {}, {}};
    for (const linear& layer : layers_)
      for (auto* arrays : {&m.pre, &m.post, &m.d})
        arrays->push_back(be.template make<T>({images, layer.outputs(), 1, 1}));
    return m;
  }

  /// The embedding (rows,C) of the first `rows` times.
  template <class Be, class T, NetworkTime Time>
  view_of<Be, const T> forward(Be& be, in_of<Be, T> parameters, const network_input<Time>& input, std::size_t rows,
                               state<Be, T>& m) const {
    for (std::size_t n = 0; n < rows; ++n) {
      const auto of_time = detail::features_of(input.times[n].value);
      for (std::size_t k = 0; k < features; ++k) m.host_features[n * features + k] = static_cast<T>(of_time[k]);
    }
    be.upload(m.host_features.data(), m.features.view().images(0, rows));  // (rows,32)
    for (std::size_t k = 0; k < depth; ++k) {
      const auto z = m.pre[k].view().images(0, rows);  // (rows,128), in the last layer (rows,C)
      layers_[k].template forward<Be, T>(be, parameters, of_layer(m, k, rows), z);
      if (k + 1 < depth) gelu_forward(be, z, m.post[k].view().images(0, rows));
    }
    return m.pre.back().view().images(0, rows);
  }

  /// Where the gradient (rows,C) with respect to the embedding is accumulated before `backward`.
  template <class Be, class T>
  view_of<Be, T> gradient(state<Be, T>& m, std::size_t rows) const {
    return m.d.back().view().images(0, rows);
  }

  /// Sets the embedding's part of `gradients`. Times get no gradient.
  template <class Be, class T>
  void backward(Be& be, in_of<Be, T> parameters, out_of<Be, T> gradients, std::size_t rows, state<Be, T>& m) const {
    for (std::size_t k = depth; k-- > 0;) {
      const auto dz = m.d[k].view().images(0, rows);
      const auto dx = k > 0 ? m.d[k - 1].view().images(0, rows) : view_of<Be, T>{};
      layers_[k].template backward<Be, T>(be, parameters, of_layer(m, k, rows), dz, dx, gradients);
      if (k > 0) gelu_backward(be, m.pre[k - 1].view().images(0, rows), dx, dx);
    }
  }

 private:
  template <class Be, class T>
  static view_of<Be, const T> of_layer(state<Be, T>& m, std::size_t k, std::size_t rows) {
    return (k == 0 ? m.features : m.post[k - 1]).view().images(0, rows);
  }

  std::size_t width_;
  std::vector<linear> layers_;
};
static_assert(Embedding<time_embedding, archetype_backend, float, diffusion_time> &&
              Embedding<time_embedding, archetype_backend, double, c_noise>);

}  // namespace softscore::inline SOFTSCORE_ABI
