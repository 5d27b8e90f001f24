#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <softscore/backend/operations.hpp>
#include <softscore/core/config.hpp>
#include <softscore/nn/linear.hpp>
#include <softscore/nn/parameters.hpp>
#include <softscore/nn/planning.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// Two dense layers with SiLU between them: features (N,F) -> (N,M) -> (N,E), named `linear_1` and `linear_2`.
class embedding_mlp {
 public:
  embedding_mlp(parameter_layout& layout, const std::string& name, std::size_t features, std::size_t hidden,
                std::size_t width)
      : first_{layout, name + ".linear_1", features, hidden}, second_{layout, name + ".linear_2", hidden, width} {}

  template <class Be, class T>
  struct state {
    std::vector<T> staging;                    // features on the host, if they come from there
    array_of<Be, T> features, hidden, active;  // (N,F), before and after SiLU (N,M)
    array_of<Be, T> d_features, d_hidden;
  };
  template <class Be, class T>
  state<Be, T> memory(planning<Be, T>& with) const {
    Be& be = with.backend();
    const shape in{with.images(), first_.inputs(), 1, 1}, out{with.images(), first_.outputs(), 1, 1};
    return {std::vector<T>(in.size()), be.template make<T>(in), be.template make<T>(out),
            be.template make<T>(out),  be.template make<T>(in), be.template make<T>(out)};
  }

  // From the features that `m` holds.
  template <class Be, class T>
  void forward(Be& be, in_of<Be, T> parameters, std::size_t rows, out_of<Be, T> out, state<Be, T>& m) const {
    const view_of<Be, T> hidden = m.hidden.view().images(0, rows), active = m.active.view().images(0, rows);
    first_.template forward<Be, T>(be, parameters, m.features.view().images(0, rows), hidden);
    activate_forward(be, activation::silu, view_of<Be, const T>{hidden}, active);
    second_.template forward<Be, T>(be, parameters, active, out);
  }
  // Sets its part of `gradients`, and m.d_features if that is wanted.
  template <class Be, class T>
  void backward(Be& be, in_of<Be, T> parameters, in_of<Be, T> d, out_of<Be, T> gradients, bool wants_features,
                state<Be, T>& m) const {
    const std::size_t rows = d.extent().images;
    const view_of<Be, T> d_hidden = m.d_hidden.view().images(0, rows);
    second_.template backward<Be, T>(be, parameters, m.active.view().images(0, rows), d, d_hidden, gradients);
    activate_backward(be, activation::silu, view_of<Be, const T>{m.hidden.view().images(0, rows)},
                      view_of<Be, const T>{d_hidden}, d_hidden);
    first_.template backward<Be, T>(be, parameters, m.features.view().images(0, rows), d_hidden,
                                    wants_features ? m.d_features.view().images(0, rows) : view_of<Be, T>{}, gradients);
  }

 private:
  linear first_, second_;
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
