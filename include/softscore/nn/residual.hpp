#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include <softscore/backend/archetype_operations.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/nn/conv2d.hpp>
#include <softscore/nn/layer.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// y = factor (x + inner(x)); the inner layer keeps the shape.
template <class L>
class residual {
 public:
  static_assert(
      PlacesParameters<L>,
      "softscore: what a residual layer adds to is not a layer, for it has no place(placement&, name, shape) and "
      "output(shape) that return a shape");

  /// Throws `error` unless the factor is finite.
  explicit residual(L inner, double factor = 1.0) : inner_{std::move(inner)}, factor_{factor} {
    require(std::isfinite(factor), "factor of a residual layer", factor, "finite");
  }

  shape place(placement& to, const std::string& name, const shape& in) { return same(inner_.place(to, name, in), in); }
  shape output(const shape& in) const { return same(inner_.output(in), in); }

  template <class Be, class T>
  struct state {
    memory_of<L, Be, T> inner;
    planned_array<Be, T> scaled;  // factor dy
  };
  template <class Be, class T>
  state<Be, T> memory(planning<Be, T>& with, const shape& in) const {
    const typename planning<Be, T>::temporary_scope scope{with};
    const auto scaled = factor_ == 1.0 ? planned_array<Be, T>{} : with.temporary(in);
    return {inner_.memory(with, in), scaled};
  }

  template <class Be, class T>
  void prepare(Be& be, in_of<Be, T> parameters, state<Be, T>& m) const {
    inner_.prepare(be, parameters, m.inner);
  }
  template <class Be, class T>
  void forward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, out_of<Be, T> y, state<Be, T>& m) const {
    inner_.forward(be, p, x, y, m.inner);
    be.combine(y, term{factor_, y}, term_of<Be, T>{factor_, x});
  }
  template <class Be, class T>
  void backward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, in_of<Be, T> dy, out_of<Be, T> dx,
                state<Be, T>& m) const {
    view_of<Be, const T> d = dy;
    if (factor_ != 1.0) {
      const view_of<Be, T> scaled = m.scaled.view(p.images);
      be.combine(scaled, term_of<Be, T>{factor_, dy});
      d = scaled;
    }
    inner_.backward(be, p, x, d, dx, m.inner);
    if (!dx.empty()) be.combine(dx, term{1.0, dx}, term_of<Be, T>{1.0, d});  // the two paths meet
  }

 private:
  static shape same(const shape& out, const shape& in) {
    require(out.with_images(1) == in.with_images(1), "the output of the inner layer of a residual layer", out,
            "of its input's shape");
    return out;
  }

  L inner_;
  double factor_;
};
static_assert(Layer<residual<conv2d>, archetype_backend, float> && Layer<residual<conv2d>, archetype_backend, double>);

}  // namespace softscore::inline SOFTSCORE_ABI
