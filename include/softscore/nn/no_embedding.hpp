#pragma once

#include <cstddef>
#include <string>

#include <softscore/backend/archetype_operations.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/nn/embedding.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The embedding of a network that sees only x and gives the same result at all times: it has no features and no
/// parameters.
struct no_embedding {
  std::size_t width() const { return 0; }
  void place(parameter_layout&, const std::string&) {}
  /// Throws `error` for labels or features, because the network cannot use them.
  template <NetworkTime Time>
  void check(const network_input<Time>& input, std::size_t) const {
    require(input.given.labels.empty(), "labels given to a network", input.given.labels.size(),
            "none, for this network takes no labels");
    require(input.given.features.empty(), "features given to a network", input.given.features.extent(),
            "none, for this network takes no features");
  }

  template <class Be, class T>
  struct state {};
  template <class Be, class T>
  state<Be, T> memory(planning<Be, T>&) const {
    return {};
  }
  template <class Be, class T, NetworkTime Time>
  view_of<Be, const T> forward(Be&, in_of<Be, T>, const network_input<Time>&, std::size_t, state<Be, T>&) const {
    return {};
  }
  template <class Be, class T>
  view_of<Be, T> gradient(state<Be, T>&, std::size_t) const {
    return {};
  }
  template <class Be, class T>
  void backward(Be&, in_of<Be, T>, out_of<Be, T>, std::size_t, state<Be, T>&) const {}
};
static_assert(Embedding<no_embedding, archetype_backend, float, diffusion_time> &&
              Embedding<no_embedding, archetype_backend, double, c_noise>);

}  // namespace softscore::inline SOFTSCORE_ABI
