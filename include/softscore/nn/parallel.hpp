#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include <softscore/backend/archetype_operations.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/nn/conv2d.hpp>
#include <softscore/nn/layer.hpp>
#include <softscore/nn/named.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// y = [a(x), b(x), ...]: parallel branches whose channels are concatenated. All have the same output height and width.
template <class... Ls>
class parallel {
 public:
  static constexpr std::size_t count = sizeof...(Ls);
  static_assert(count > 1, "softscore: a parallel layer needs at least two branches");
  static_assert((PlacesParameters<detail::unnamed<Ls>> && ...),
                "softscore: a branch of this parallel layer is not a layer, for it has no place(placement&, name, "
                "shape) and output(shape) that return a shape");

  explicit parallel(Ls... branches) : branches_{std::move(branches)...} {}

  shape place(placement& to, const std::string& name, const shape& in) {
    std::array<shape, count> outputs;
    each([&](auto k) {
      auto& branch = std::get<k>(branches_);
      outputs[k] = detail::layer_of(branch).place(to, detail::joined_name(name, detail::name_of_layer(branch, k)), in);
    });
    return joined(outputs, count);
  }
  shape output(const shape& in) const { return joined(outputs_of(in), count); }

  template <class Be, class T>
  struct state {
    std::tuple<memory_of<detail::unnamed<Ls>, Be, T>...> of;
    std::array<planned_array<Be, T>, count> outputs;  // of the branches, or their gradients
    std::array<planned_array<Be, T>, count> joined;   // the first outputs, concatenated
    planned_array<Be, T> dx;                          // of a branch after the first
  };
  template <class Be, class T>
  state<Be, T> memory(planning<Be, T>& with, const shape& in) const {
    const typename planning<Be, T>::temporary_scope scope{with};
    const auto outputs = outputs_of(in);
    std::array<planned_array<Be, T>, count> parts, together;
    for (std::size_t k = 0; k < count; ++k) {
      parts[k] = with.temporary(outputs[k]);
      if (k > 1) together[k] = with.temporary(joined(outputs, k));
    }
    const auto dx = with.temporary(in);
    return std::apply(
        [&](const auto&... branch) {
          std::tuple<memory_of<detail::unnamed<Ls>, Be, T>...> of{detail::layer_of(branch).memory(with, in)...};
          return state<Be, T>{std::move(of), parts, together, dx};
        },
        branches_);
  }

  template <class Be, class T>
  void prepare(Be& be, in_of<Be, T> parameters, state<Be, T>& m) const {
    each([&](auto k) { get<k>().prepare(be, parameters, std::get<k>(m.of)); });
  }
  template <class Be, class T>
  void forward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, out_of<Be, T> y, state<Be, T>& m) const {
    each([&](auto k) { get<k>().forward(be, p, x, m.outputs[k].view(p.images), std::get<k>(m.of)); });
    for (std::size_t k = 1; k < count; ++k)
      concatenate(be, first(m, k, p.images), view_of<Be, const T>{m.outputs[k].view(p.images)},
                  k + 1 < count ? m.joined[k + 1].view(p.images) : y);
  }
  template <class Be, class T>
  void backward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, in_of<Be, T> dy, out_of<Be, T> dx,
                state<Be, T>& m) const {
    view_of<Be, const T> d = dy;
    for (std::size_t k = count; k-- > 1;) {
      separate(be, d, first(m, k, p.images), m.outputs[k].view(p.images));
      d = first(m, k, p.images);
    }
    each([&](auto k) {
      const view_of<Be, T> mine = k == 0 || dx.empty() ? dx : m.dx.view(p.images);
      get<k>().backward(be, p, x, m.outputs[k].view(p.images), mine, std::get<k>(m.of));
      if (k > 0 && !dx.empty()) be.combine(dx, term{1.0, dx}, term{1.0, mine});  // the paths meet
    });
  }

 private:
  template <class F>
  static void each(const F& f) {
    [&]<std::size_t... k>(std::index_sequence<k...>) {
      (f(std::integral_constant<std::size_t, k>{}), ...);
    }(std::make_index_sequence<count>{});
  }
  template <std::size_t K>
  const auto& get() const {
    return detail::layer_of(std::get<K>(branches_));
  }
  std::array<shape, count> outputs_of(const shape& in) const {
    std::array<shape, count> outputs;
    each([&](auto k) { outputs[k] = get<k>().output(in); });
    return outputs;
  }
  // The shape of the first `branches` outputs, concatenated.
  static shape joined(const std::array<shape, count>& outputs, std::size_t branches) {
    shape all = outputs[0].with_images(1);
    for (std::size_t k = 1; k < branches; ++k) {
      require(outputs[k].height == all.height && outputs[k].width == all.width,
              "the output of a parallel layer's branch", outputs[k], "as high and as wide as that of the first");
      all.channels += outputs[k].channels;
    }
    return all;
  }
  // The first k outputs, concatenated.
  template <class Be, class T>
  static view_of<Be, T> first(state<Be, T>& m, std::size_t k, std::size_t images) {
    return (k == 1 ? m.outputs[0] : m.joined[k]).view(images);
  }

  std::tuple<Ls...> branches_;
};

}  // namespace softscore::inline SOFTSCORE_ABI
