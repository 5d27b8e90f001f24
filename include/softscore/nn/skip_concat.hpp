#pragma once

#include <string>
#include <utility>

#include <softscore/backend/archetype_operations.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/nn/conv2d.hpp>
#include <softscore/nn/layer.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// y = [inner(x), x], the channels side by side: the skip connection of a U-Net (Ronneberger et al. 2015). The inner
/// layer keeps height and width. Nested, it is a U-Net.
template <class L>
class skip_concat {
 public:
  static_assert(
      PlacesParameters<L>,
      "softscore: what a skip connection goes around is not a layer, for it has no place(placement&, name, shape) and "
      "output(shape) that return a shape");

  explicit skip_concat(L inner) : inner_{std::move(inner)} {}

  shape place(placement& to, const std::string& name, const shape& in) {
    return joined(inner_.place(to, name, in), in);
  }
  shape output(const shape& in) const { return joined(inner_.output(in), in); }

  template <class Be, class T>
  struct state {
    memory_of<L, Be, T> inner;
    planned_array<Be, T> of_inner, of_x;  // y's parts, or their gradients
  };
  template <class Be, class T>
  state<Be, T> memory(planning<Be, T>& with, const shape& in) const {
    const typename planning<Be, T>::temporary_scope scope{with};
    const auto of_inner = with.temporary(inner_.output(in)), of_x = with.temporary(in);
    return {inner_.memory(with, in), of_inner, of_x};
  }

  template <class Be, class T>
  void prepare(Be& be, in_of<Be, T> parameters, state<Be, T>& m) const {
    inner_.prepare(be, parameters, m.inner);
  }
  template <class Be, class T>
  void forward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, out_of<Be, T> y, state<Be, T>& m) const {
    const view_of<Be, T> h = m.of_inner.view(p.images);
    inner_.forward(be, p, x, h, m.inner);
    concatenate(be, h, x, y);
  }
  template <class Be, class T>
  void backward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, in_of<Be, T> dy, out_of<Be, T> dx,
                state<Be, T>& m) const {
    const view_of<Be, T> dh = m.of_inner.view(p.images);
    const view_of<Be, T> direct = dx.empty() ? dx : m.of_x.view(p.images);
    separate(be, dy, dh, direct);
    inner_.backward(be, p, x, dh, dx, m.inner);
    if (!dx.empty()) be.combine(dx, term{1.0, dx}, term{1.0, direct});  // the two paths meet
  }

 private:
  static shape joined(const shape& out, const shape& in) {
    require(out.height == in.height && out.width == in.width, "what comes back to a skip connection", out,
            "as high and as wide as what left");
    return {1, out.channels + in.channels, in.height, in.width};
  }

  L inner_;
};

}  // namespace softscore::inline SOFTSCORE_ABI
