#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <softscore/backend/archetype_operations.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/nn/conv2d.hpp>
#include <softscore/nn/layer.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Applies the same layer `times` times in sequence, with the same parameters each time. The layer keeps the shape. The
/// gradients of its parameters are the sums over its applications.
template <class L>
class repeated {
 public:
  static_assert(PlacesParameters<L>,
                "softscore: what is to be repeated is not a layer, for it has no place(placement&, name, shape) and "
                "output(shape) that return a shape");

  /// Throws `error` for 0 times.
  repeated(L inner, std::size_t times) : inner_{std::move(inner)}, times_{times} {
    require(times >= 1, "times that a layer is repeated", times, "at least 1");
  }

  shape place(placement& to, const std::string& name, const shape& in) {
    first_ = to.layout().count();
    const shape out = same(inner_.place(to, name, in), in);
    parameters_ = to.layout().count() - first_;
    return out;
  }
  shape output(const shape& in) const { return same(inner_.output(in), in); }

  template <class Be, class T>
  struct state {
    std::vector<memory_of<L, Be, T>> of;
    std::vector<planned_array<Be, T>> between;
    std::array<planned_array<Be, T>, 2> d;
    std::vector<array_of<Be, T>> sums;  // of the gradients of the parameters, if there is more than one application
  };
  template <class Be, class T>
  state<Be, T> memory(planning<Be, T>& with, const shape& in) const {
    const typename planning<Be, T>::temporary_scope scope{with};
    state<Be, T> m{{}, {}, {with.temporary(in), with.temporary(in)}, {}};
    if (times_ > 1 && parameters_ > 0) m.sums.push_back(with.backend().template make<T>({1, 1, 1, parameters_}));
    for (std::size_t k = 0; k < times_; ++k) {
      m.of.push_back(inner_.memory(with, in));
      if (k + 1 < times_) m.between.push_back(with.keep(in));
    }
    return m;
  }

  template <class Be, class T>
  void prepare(Be& be, in_of<Be, T> parameters, state<Be, T>& m) const {
    for (auto& each : m.of) inner_.prepare(be, parameters, each);
  }
  template <class Be, class T>
  void forward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, out_of<Be, T> y, state<Be, T>& m) const {
    for (std::size_t k = 0; k < times_; ++k)
      inner_.forward(be, p, input(p, x, m, k), k + 1 < times_ ? m.between[k].view(p.images) : y, m.of[k]);
  }
  template <class Be, class T>
  void backward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, in_of<Be, T> dy, out_of<Be, T> dx,
                state<Be, T>& m) const {
    view_of<Be, const T> d = dy;
    const bool adds = !p.gradients.empty() && !m.sums.empty();
    const view_of<Be, T> mine = adds ? p.gradients.slice(first_, {1, 1, 1, parameters_}) : view_of<Be, T>{};
    for (std::size_t k = times_; k-- > 0;) {
      const view_of<Be, T> d_in = k > 0 ? m.d[k % 2].view(p.images) : dx;
      inner_.backward(be, p, input(p, x, m, k), d, d_in, m.of[k]);
      d = d_in;
      if (!adds) continue;
      const view_of<Be, T> sum = m.sums.front().view();
      if (k + 1 == times_)
        be.combine(sum, term{1.0, mine});
      else
        be.combine(k > 0 ? sum : mine, term{1.0, sum}, term{1.0, mine});
    }
  }

 private:
  static shape same(const shape& out, const shape& in) {
    require(out.with_images(1) == in.with_images(1), "the output of a repeated layer", out, "of its input's shape");
    return out;
  }
  template <class Be, class T>
  static view_of<Be, const T> input(const pass<Be, T>& p, in_of<Be, T> x, state<Be, T>& m, std::size_t k) {
    return k > 0 ? view_of<Be, const T>{m.between[k - 1].view(p.images)} : view_of<Be, const T>{x};
  }

  L inner_;
  std::size_t times_, first_{}, parameters_{};
};
static_assert(Layer<repeated<conv2d>, archetype_backend, float> && Layer<repeated<conv2d>, archetype_backend, double>);

}  // namespace softscore::inline SOFTSCORE_ABI
