#pragma once

#include <string>
#include <utility>

#include <softscore/backend/archetype_operations.hpp>
#include <softscore/core/config.hpp>
#include <softscore/nn/conv2d.hpp>
#include <softscore/nn/layer.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The same layer, but it keeps none of its activations for the backward pass and computes them again there (gradient
/// checkpointing, Chen et al. 2016): less memory for one more forward pass, and the same bits.
template <class L>
class recompute {
 public:
  static_assert(PlacesParameters<L>,
                "softscore: what is to be recomputed is not a layer, for it has no place(placement&, name, shape) and "
                "output(shape) that return a shape");

  explicit recompute(L inner) : inner_{std::move(inner)} {}

  shape place(placement& to, const std::string& name, const shape& in) { return inner_.place(to, name, in); }
  shape output(const shape& in) const { return inner_.output(in); }

  template <class Be, class T>
  struct state {
    memory_of<L, Be, T> inner;
    planned_array<Be, T> y;
  };
  template <class Be, class T>
  state<Be, T> memory(planning<Be, T>& with, const shape& in) const {
    const typename planning<Be, T>::temporary_scope temporaries{with};
    const auto y = with.temporary(inner_.output(in));
    const typename planning<Be, T>::recomputed_scope scope{with};
    return {inner_.memory(with, in), y};
  }

  template <class Be, class T>
  void prepare(Be& be, in_of<Be, T> parameters, state<Be, T>& m) const {
    inner_.prepare(be, parameters, m.inner);
  }
  template <class Be, class T>
  void forward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, out_of<Be, T> y, state<Be, T>& m) const {
    inner_.forward(be, p, x, y, m.inner);
  }
  template <class Be, class T>
  void backward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, in_of<Be, T> dy, out_of<Be, T> dx,
                state<Be, T>& m) const {
    inner_.forward(be, p, x, m.y.view(p.images), m.inner);
    inner_.backward(be, p, x, dy, dx, m.inner);
  }

 private:
  L inner_;
};
static_assert(Layer<recompute<conv2d>, archetype_backend, float> &&
              Layer<recompute<conv2d>, archetype_backend, double>);

}  // namespace softscore::inline SOFTSCORE_ABI
