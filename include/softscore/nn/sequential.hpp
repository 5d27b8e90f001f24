#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <softscore/backend/archetype_operations.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/nn/conv2d.hpp>
#include <softscore/nn/layer.hpp>
#include <softscore/nn/named.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Layers in sequence. Inside the container they are named 0, 1, ..., unless they are `named`. If a layer can do the
/// next one's work in its own pass, it does (a group norm computes an activation); the numbers do not change. A layer
/// that has nothing to do in a pass, such as dropout in sampling, costs nothing unless it is the first.
template <class... Ls>
class sequential {
 public:
  static constexpr std::size_t count = sizeof...(Ls);
  static_assert(count > 0, "softscore: a sequential layer needs at least one layer");
  static_assert((PlacesParameters<detail::unnamed<Ls>> && ...),
                "softscore: a part of this sequential layer is not a layer, for it has no place(placement&, name, "
                "shape) and output(shape) that return a shape");

  explicit sequential(Ls... layers) : layers_{std::move(layers)...} {
    each([&](auto k) {
      if constexpr (k + 1 < count)
        if constexpr (detail::Absorbs<layer_type<k>, layer_type<k + 1>>)
          if (!absorbed_[k]) absorbed_[k + 1] = detail::layer_of(std::get<k>(layers_)).absorb(get<k + 1>());
    });
  }

  shape place(placement& to, const std::string& name, const shape& in) {
    shape at = in;
    each([&](auto k) {
      auto& layer = std::get<k>(layers_);
      at = detail::layer_of(layer).place(to, detail::joined_name(name, detail::name_of_layer(layer, k)), at);
    });
    return at;
  }
  shape output(const shape& in) const {
    shape at = in;
    each([&](auto k) { at = get<k>().output(at); });
    return at;
  }

  template <class Be, class T>
  struct state {
    std::tuple<memory_of<detail::unnamed<Ls>, Be, T>...> of;
    std::array<planned_array<Be, T>, count> between;  // the output of each layer except the last
    std::array<planned_array<Be, T>, 2> gradients;    // those of two neighbors among them, alternating
  };
  template <class Be, class T>
  state<Be, T> memory(planning<Be, T>& with, const shape& in) const {
    static_assert((Layer<detail::unnamed<Ls>, Be, T> && ...),
                  "softscore: a part of this sequential layer is not a layer on this backend, for it lacks memory, "
                  "prepare, forward or backward");
    const typename planning<Be, T>::temporary_scope scope{with};
    shape at = in, widest{1, 0, 1, 1};
    each([&](auto k) {
      if (k > 0 && at.per_image() > widest.per_image()) widest = at;
      at = get<k>().output(at);
    });
    const std::array<planned_array<Be, T>, 2> gradients{with.temporary(widest), with.temporary(widest)};
    std::array<planned_array<Be, T>, count> between;
    at = in;
    const auto plan = [&](auto k) {
      auto made = get<k>().memory(with, at);
      at = get<k>().output(at);
      if (!absorbed_[k] && !last(k, absorbed_)) between[k] = with.keep(at);
      return made;
    };
    // Braces, so that the layers request their memory in order.
    return [&]<std::size_t... k>(std::index_sequence<k...>) {
      std::tuple<memory_of<detail::unnamed<Ls>, Be, T>...> of{plan(std::integral_constant<std::size_t, k>{})...};
      return state<Be, T>{std::move(of), between, gradients};
    }(std::make_index_sequence<count>{});
  }

  template <class Be, class T>
  void prepare(Be& be, in_of<Be, T> parameters, state<Be, T>& m) const {
    each([&](auto k) { get<k>().prepare(be, parameters, std::get<k>(m.of)); });
  }
  template <class Be, class T>
  void forward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, out_of<Be, T> y, state<Be, T>& m) const {
    view_of<Be, const T> in = x;
    const std::array<bool, count> skipped = skipped_in(p);
    each([&](auto k) {
      if (skipped[k]) return;
      const view_of<Be, T> out = last(k, skipped) ? y : m.between[k].view(p.images);
      get<k>().forward(be, p, in, out, std::get<k>(m.of));
      in = out;
    });
  }
  template <class Be, class T>
  void backward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, in_of<Be, T> dy, out_of<Be, T> dx,
                state<Be, T>& m) const {
    view_of<Be, const T> d = dy;
    const std::array<bool, count> skipped = skipped_in(p);
    std::size_t turn = 0;  // which of the two arrays holds d; 0 also while d is the caller's
    each([&](auto done) {
      constexpr std::size_t k = count - 1 - done;
      if (skipped[k]) return;
      const std::size_t source = source_of(k, skipped);
      const view_of<Be, const T> in = source < count ? m.between[source].view(p.images) : view_of<Be, const T>{x};
      view_of<Be, T> d_in = dx;
      if (source < count) {
        if (!detail::BackwardInPlace<layer_type<k>> || last(k, skipped)) ++turn;
        d_in = m.gradients[turn % 2].view(p.images).slice(0, in.extent());
      }
      get<k>().backward(be, p, in, d, d_in, std::get<k>(m.of));
      d = d_in;
    });
  }

 private:
  template <std::size_t K>
  using layer_type = detail::unnamed<std::tuple_element_t<K, std::tuple<Ls...>>>;

  template <class F>
  static void each(const F& f) {
    [&]<std::size_t... k>(std::index_sequence<k...>) {
      (f(std::integral_constant<std::size_t, k>{}), ...);
    }(std::make_index_sequence<count>{});
  }
  template <std::size_t K>
  const auto& get() const {
    return detail::layer_of(std::get<K>(layers_));
  }
  // The layers that a pass skips, because another layer does their work or they do nothing. The first one is never
  // skipped.
  template <class Pass>
  std::array<bool, count> skipped_in(const Pass& p) const {
    std::array<bool, count> skipped = absorbed_;
    each([&](auto k) {
      if constexpr (k > 0 && detail::MayPassThrough<layer_type<k>, Pass>)
        if (get<k>().passes_through(p)) skipped[k] = true;
    });
    return skipped;
  }
  // Whether all layers after k are skipped.
  static bool last(std::size_t k, const std::array<bool, count>& skipped) {
    for (++k; k < count; ++k)
      if (!skipped[k]) return false;
    return true;
  }
  // The layer whose output is the input of layer k; `count` if that is the input of the whole.
  static std::size_t source_of(std::size_t k, const std::array<bool, count>& skipped) {
    while (k-- > 0)
      if (!skipped[k]) return k;
    return count;
  }

  std::tuple<Ls...> layers_;
  std::array<bool, count> absorbed_{};
};

/// The same for layers of one type whose number is known only at run time: `sequential{std::vector{...}}`.
template <class L>
class sequential<std::vector<L>> {
 public:
  static_assert(PlacesParameters<detail::unnamed<L>>,
                "softscore: the parts of this sequential layer are not layers, for they have no place(placement&, "
                "name, shape) and output(shape) that return a shape");

  /// Throws `error` if there are no layers.
  explicit sequential(std::vector<L> layers) : layers_{std::move(layers)} {
    require(!layers_.empty(), "the number of layers of a sequential layer", layers_.size(), "at least 1");
  }

  const std::vector<L>& layers() const { return layers_; }

  shape place(placement& to, const std::string& name, const shape& in) {
    shape at = in;
    for (std::size_t k = 0; k < layers_.size(); ++k)
      at = detail::layer_of(layers_[k]).place(to, detail::joined_name(name, detail::name_of_layer(layers_[k], k)), at);
    return at;
  }
  shape output(const shape& in) const {
    shape at = in;
    for (const L& layer : layers_) at = detail::layer_of(layer).output(at);
    return at;
  }

  template <class Be, class T>
  struct state {
    std::vector<memory_of<detail::unnamed<L>, Be, T>> of;
    std::vector<planned_array<Be, T>> between;
    std::array<planned_array<Be, T>, 2> gradients;
  };
  template <class Be, class T>
  state<Be, T> memory(planning<Be, T>& with, const shape& in) const {
    const typename planning<Be, T>::temporary_scope scope{with};
    shape at = in, widest{1, 0, 1, 1};
    for (std::size_t k = 0; k < layers_.size(); ++k) {
      if (k > 0 && at.per_image() > widest.per_image()) widest = at;
      at = detail::layer_of(layers_[k]).output(at);
    }
    state<Be, T> m{{}, {}, {with.temporary(widest), with.temporary(widest)}};
    at = in;
    for (std::size_t k = 0; k < layers_.size(); ++k) {
      m.of.push_back(detail::layer_of(layers_[k]).memory(with, at));
      at = detail::layer_of(layers_[k]).output(at);
      if (k + 1 < layers_.size()) m.between.push_back(with.keep(at));
    }
    return m;
  }

  template <class Be, class T>
  void prepare(Be& be, in_of<Be, T> parameters, state<Be, T>& m) const {
    for (std::size_t k = 0; k < layers_.size(); ++k) detail::layer_of(layers_[k]).prepare(be, parameters, m.of[k]);
  }
  template <class Be, class T>
  void forward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, out_of<Be, T> y, state<Be, T>& m) const {
    for (std::size_t k = 0; k < layers_.size(); ++k)
      detail::layer_of(layers_[k])
          .forward(be, p, input(p, x, m, k), k + 1 < layers_.size() ? m.between[k].view(p.images) : y, m.of[k]);
  }
  template <class Be, class T>
  void backward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, in_of<Be, T> dy, out_of<Be, T> dx,
                state<Be, T>& m) const {
    view_of<Be, const T> d = dy;
    for (std::size_t k = layers_.size(); k-- > 0;) {
      const view_of<Be, const T> in = input(p, x, m, k);
      const view_of<Be, T> d_in = k > 0 ? m.gradients[k % 2].view(p.images).slice(0, in.extent()) : dx;
      detail::layer_of(layers_[k]).backward(be, p, in, d, d_in, m.of[k]);
      d = d_in;
    }
  }

 private:
  template <class Be, class T>
  static view_of<Be, const T> input(const pass<Be, T>& p, in_of<Be, T> x, state<Be, T>& m, std::size_t k) {
    return k > 0 ? view_of<Be, const T>{m.between[k - 1].view(p.images)} : view_of<Be, const T>{x};
  }

  std::vector<L> layers_;
};
static_assert(Layer<sequential<conv2d, named<conv2d>>, archetype_backend, float> &&
              Layer<sequential<std::vector<conv2d>>, archetype_backend, double>);

}  // namespace softscore::inline SOFTSCORE_ABI
