#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <softscore/backend/archetype_operations.hpp>
#include <softscore/backend/channels.hpp>
#include <softscore/backend/operations.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/nn/layer.hpp>
#include <softscore/nn/unet/gradient_slots.hpp>
#include <softscore/nn/unet/graph.hpp>
#include <softscore/nn/unet/initial_values.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {
struct center_body {
  template <class T>
  SOFTSCORE_HD void operator()(T& y, const T& x) const {
    y = 2 * x - 1;
  }
};
}  // namespace detail

/// The layers of a U-Net between its input and its output: a list of steps, run in order and in reverse. x (N,C,H,W) ->
/// y (N,O,H,W), for sides that are multiples of `unet_config::multiple`.
class unet_body {
 public:
  /// Throws `error` for settings that do not fit together.
  template <class = when_called>
  explicit unet_body(const unet_config& c)
      : recipe_{checked(c).recipe},
        multiple_{c.multiple()},
        recompute_{c.recompute},
        graph_{detail::unet_builder{c}.build()} {}

  /// Throws `error` for groups that do not divide the channels of a norm.
  shape place(placement& to, const std::string& name, const shape& in) {
    require_channels(in);
    const std::size_t first = to.layout().arrays();
    const shape least{1, in.channels, 2 * multiple_, 2 * multiple_};  // layers need some size, but parameters do not
    const auto put = [&](auto& called, const detail::unet_step& s) {
      called.layer.place(to, detail::joined_name(name, called.name), input_at(s, least));
    };
    for (const detail::unet_step& s : graph_.steps) switch (s.what) {
        case detail::unet_operation::convolve:
          put(graph_.convolutions[s.layer], s);
          break;
        case detail::unet_operation::normalize:
          graph_.norms[s.layer].layer.place(to, detail::joined_name(name, graph_.norms[s.layer].name),
                                            graph_.values[s.in].channels);
          break;
        case detail::unet_operation::residual:
          put(graph_.residuals[s.layer], s);
          break;
        case detail::unet_operation::attend:
          put(graph_.attentions[s.layer], s);
          break;
        case detail::unet_operation::shrink_picture:
          put(graph_.reducers[s.layer], s);
          break;
        case detail::unet_operation::rectify:
          put(graph_.rectifiers[s.layer], s);
          break;
        default:
          break;
      }
    detail::choose_first_values(to.layout(), first, recipe_);
    return {1, graph_.values.back().channels, in.height, in.width};
  }
  /// Throws `error` for sides that the levels do not divide.
  shape output(const shape& in) const {
    require_channels(in);
    if (in.plane() == 0 || in.height % multiple_ != 0 || in.width % multiple_ != 0)
      reject("the size of a U-Net's images", in,
             "a multiple of " + std::to_string(multiple_) + " pixels high and wide, for its " +
                 std::to_string(graph_levels()) + " levels");
    return {1, graph_.values.back().channels, in.height, in.width};
  }

  template <class Be, class T>
  struct state {
    std::vector<conv2d::state<Be, T>> convolutions;
    std::vector<group_norm_plan_of<Be, T>> norms;
    std::vector<residual_block::state<Be, T>> residuals;
    std::vector<attention_block::state<Be, T>> attentions;
    std::vector<picture_reducer::state<Be, T>> reducers;
    std::vector<relu_block::state<Be, T>> rectifiers;
    std::vector<planned_array<Be, T>> values;  // of all values but the first and the last
    std::vector<planned_array<Be, T>> slots;   // of gradients
    std::vector<std::size_t> slot_of;          // of each value
    std::vector<std::array<bool, 2>> adds;     // of each step, for the values it reads
    planned_array<Be, T> planes, more;         // what classes add to x; a gradient that is added to another
    shape in;
  };
  template <class Be, class T>
  state<Be, T> memory(planning<Be, T>& with, const shape& in) const {
    static_cast<void>(output(in));
    const typename planning<Be, T>::temporary_scope scope{with};
    state<Be, T> m{};
    m.in = in.with_images(1);
    const auto extent = [&](std::size_t value) { return at(value, m.in); };
    const detail::gradient_slots slots{graph_, extent};
    m.slot_of = slots.of_values();
    m.adds = slots.adds();
    for (const std::size_t elements : slots.elements()) m.slots.push_back(with.temporary({1, elements, 1, 1}));
    m.more = with.temporary(slots.largest_addend());
    if (planes() > 0) m.planes = with.temporary({1, planes(), in.height, in.width});
    m.values.emplace_back();
    for (std::size_t v = 1; v + 1 < graph_.values.size(); ++v) m.values.push_back(with.keep(extent(v)));
    for (const detail::unet_step& s : graph_.steps) {
      std::optional<typename planning<Be, T>::recomputed_scope> again;
      if (recompute_) again.emplace(with);
      const shape of = input_at(s, m.in);
      switch (s.what) {
        case detail::unet_operation::convolve:
          m.convolutions.push_back(graph_.convolutions[s.layer].layer.memory(with, of));
          break;
        case detail::unet_operation::normalize:
          m.norms.push_back(graph_.norms[s.layer].layer.plan(with, of));
          break;
        case detail::unet_operation::residual:
          m.residuals.push_back(graph_.residuals[s.layer].layer.memory(with, of));
          break;
        case detail::unet_operation::attend:
          m.attentions.push_back(graph_.attentions[s.layer].layer.memory(with, of));
          break;
        case detail::unet_operation::shrink_picture:
          m.reducers.push_back(graph_.reducers[s.layer].layer.memory(with, of));
          break;
        case detail::unet_operation::rectify:
          m.rectifiers.push_back(graph_.rectifiers[s.layer].layer.memory(with, of));
          break;
        default:
          break;
      }
    }
    return m;
  }

  template <class Be, class T>
  void prepare(Be& be, in_of<Be, T> parameters, state<Be, T>& m) const {
    for (std::size_t k = 0; k < m.convolutions.size(); ++k)
      graph_.convolutions[k].layer.prepare(be, parameters, m.convolutions[k]);
    for (std::size_t k = 0; k < m.residuals.size(); ++k)
      graph_.residuals[k].layer.prepare(be, parameters, m.residuals[k]);
    for (std::size_t k = 0; k < m.attentions.size(); ++k)
      graph_.attentions[k].layer.prepare(be, parameters, m.attentions[k]);
    for (std::size_t k = 0; k < m.reducers.size(); ++k) graph_.reducers[k].layer.prepare(be, parameters, m.reducers[k]);
    for (std::size_t k = 0; k < m.rectifiers.size(); ++k)
      graph_.rectifiers[k].layer.prepare(be, parameters, m.rectifiers[k]);
  }

  template <class Be, class T>
  void forward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, out_of<Be, T> y, state<Be, T>& m) const {
    for (const detail::unet_step& s : graph_.steps)
      run<Be, T>(be, p, s, inputs_of<Be, T>(p, x, m, s),
                 s.out + 1 == graph_.values.size() ? y : m.values[s.out].view(p.images), m);
  }

  template <class Be, class T>
  void backward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, in_of<Be, T> dy, out_of<Be, T> dx,
                state<Be, T>& m) const {
    for (std::size_t k = graph_.steps.size(); k-- > 0;) {
      const detail::unet_step& s = graph_.steps[k];
      const bool last = s.out + 1 == graph_.values.size();
      const view_of<Be, const T> d = last ? view_of<Be, const T>{dy} : gradient(p, dx, m, s.out);
      const joined_in_of<Be, T> inputs = inputs_of<Be, T>(p, x, m, s);
      if (recompute_ && !last && is_recomputed(s.what)) run<Be, T>(be, p, s, inputs, m.values[s.out].view(p.images), m);
      back<Be, T>(be, p, s, k, inputs, d, dx, m);
    }
  }

 private:
  template <class = when_called>
  static const unet_config& checked(const unet_config& c) {
    require_valid(c);
    return c;
  }
  // Steps whose layers keep something between the passes. That of the last step is still there.
  static bool is_recomputed(detail::unet_operation what) {
    return what == detail::unet_operation::residual || what == detail::unet_operation::attend ||
           what == detail::unet_operation::shrink_picture || what == detail::unet_operation::rectify;
  }
  std::size_t graph_levels() const {
    std::size_t levels = 1;
    for (std::size_t m = multiple_; m > 1; m /= 2) ++levels;
    return levels;
  }
  std::size_t planes() const {
    const auto& first = graph_.steps.front();
    return first.what == detail::unet_operation::planes
               ? graph_.values[first.out].channels - graph_.values[first.in].channels
               : 0;
  }
  void require_channels(const shape& in) const {
    if (in.channels != graph_.values.front().channels)
      reject("the channels of a U-Net's input", in.channels,
             "those that it was made for, " + std::to_string(graph_.values.front().channels));
  }
  // One image's extent of a value, for images of the shape `in`.
  shape at(std::size_t value, const shape& in) const {
    const auto& v = graph_.values[value];
    return {1, v.channels, in.height >> v.level, in.width >> v.level};
  }

  // The extent of what a step reads; of two values, that of both together.
  shape input_at(const detail::unet_step& s, const shape& in) const {
    shape all = at(s.in, in);
    if (s.reads_two()) all.channels += graph_.values[s.beside].channels;
    return all;
  }

  template <class Be, class T>
  static view_of<Be, const T> value(const pass<Be, T>& p, view_of<Be, const T> x, state<Be, T>& m, std::size_t v) {
    return v == 0 ? x : view_of<Be, const T>{m.values[v].view(p.images)};
  }
  template <class Be, class T>
  static joined_in_of<Be, T> inputs_of(const pass<Be, T>& p, view_of<Be, const T> x, state<Be, T>& m,
                                       const detail::unet_step& s) {
    const auto beside = s.reads_two() ? value<Be, T>(p, x, m, s.beside) : view_of<Be, const T>{};
    return {value<Be, T>(p, x, m, s.in), beside};
  }
  template <class Be, class T>
  view_of<Be, T> gradient(const pass<Be, T>& p, view_of<Be, T> dx, state<Be, T>& m, std::size_t v) const {
    if (v == 0) return dx;
    return m.slots[m.slot_of[v]].view(p.images).slice(0, at(v, m.in).with_images(p.images));
  }

  // One step forward, from one value or two.
  template <class Be, class T>
  void run(Be& be, const pass<Be, T>& p, const detail::unet_step& s, joined_in_of<Be, T> inputs, view_of<Be, T> out,
           state<Be, T>& m) const {
    using constant = view_of<Be, const T>;
    const constant in = inputs.first;
    switch (s.what) {
      case detail::unet_operation::planes: {
        const auto planes = m.planes.view(p.images);
        spread_channels<Be, T>(be, p.planes, planes);
        concatenate(be, in, constant{planes}, out);
        break;
      }
      case detail::unet_operation::center:
        be.for_each(detail::center_body{}, out, in);
        break;
      case detail::unet_operation::convolve:
        graph_.convolutions[s.layer].layer.forward(be, p, in, out, m.convolutions[s.layer]);
        break;
      case detail::unet_operation::normalize:
        graph_.norms[s.layer].layer.forward(be, p, in, constant{}, constant{}, out, m.norms[s.layer]);
        break;
      case detail::unet_operation::residual:
        graph_.residuals[s.layer].layer.forward(be, p, inputs, out, m.residuals[s.layer]);
        break;
      case detail::unet_operation::attend:
        graph_.attentions[s.layer].layer.forward(be, p, in, out, m.attentions[s.layer]);
        break;
      case detail::unet_operation::shrink_picture:
        graph_.reducers[s.layer].layer.forward(be, p, in, out, m.reducers[s.layer]);
        break;
      case detail::unet_operation::rectify:
        graph_.rectifiers[s.layer].layer.forward(be, p, in, out, m.rectifiers[s.layer]);
        break;
      case detail::unet_operation::resample:
        resample_forward<Be, T>(be, s.how, in, out);
        break;
      case detail::unet_operation::concatenate:
        concatenate(be, in, inputs.second, out);
        break;
      case detail::unet_operation::add:
        be.combine(out, term_of<Be, T>{1 / s.divisor, in}, term_of<Be, T>{1 / s.divisor, inputs.second});
        break;
    }
  }

  // Step k backward: d is the gradient of its output.
  template <class Be, class T>
  void back(Be& be, const pass<Be, T>& p, const detail::unet_step& s, std::size_t k, joined_in_of<Be, T> inputs,
            view_of<Be, const T> d, view_of<Be, T> dx, state<Be, T>& m) const {
    using constant = view_of<Be, const T>;
    const constant in = inputs.first;
    const view_of<Be, T> none{};
    // Gives `write` the place of a value's gradient, or a temporary one whose content is then added. If the gradient of
    // an input is not wanted, only layers with parameters are run.
    const auto give = [&](std::size_t v, bool adds, bool has_parameters, const auto& write) {
      const view_of<Be, T> to = gradient<Be, T>(p, dx, m, v);
      if (to.empty()) {
        if (has_parameters) write(to);
      } else if (adds) {
        const view_of<Be, T> more = m.more.view(p.images).slice(0, to.extent());
        write(more);
        be.combine(to, term{1.0, to}, term{1.0, more});
      } else {
        write(to);
      }
    };
    const auto to_input = [&](bool has_parameters, const auto& write) {
      give(s.in, m.adds[k][0], has_parameters, write);
    };
    switch (s.what) {
      case detail::unet_operation::planes:
        to_input(false, [&](view_of<Be, T> to) { separate(be, d, to, none); });
        if (p.d_planes.empty()) break;
        separate(be, d, none, m.planes.view(p.images));
        sum_pixels(be, constant{m.planes.view(p.images)}, p.d_planes);
        break;
      case detail::unet_operation::center:
        to_input(false, [&](view_of<Be, T> to) { be.combine(to, term_of<Be, T>{2.0, d}); });
        break;
      case detail::unet_operation::convolve:
        to_input(true, [&](view_of<Be, T> to) {
          graph_.convolutions[s.layer].layer.backward(be, p, in, d, to, m.convolutions[s.layer]);
        });
        break;
      case detail::unet_operation::normalize:
        to_input(true, [&](view_of<Be, T> to) {
          graph_.norms[s.layer].layer.backward(be, p, in, constant{}, constant{}, d, to, none, none, m.norms[s.layer]);
        });
        break;
      case detail::unet_operation::residual:
        graph_.residuals[s.layer].layer.backward(
            be, p, inputs, d,
            {gradient<Be, T>(p, dx, m, s.in), s.reads_two() ? gradient<Be, T>(p, dx, m, s.beside) : none},
            m.residuals[s.layer], m.adds[k]);
        break;
      case detail::unet_operation::attend:
        graph_.attentions[s.layer].layer.backward(be, p, in, d, gradient<Be, T>(p, dx, m, s.in), m.attentions[s.layer],
                                                  m.adds[k][0]);
        break;
      case detail::unet_operation::shrink_picture:
        to_input(true, [&](view_of<Be, T> to) {
          graph_.reducers[s.layer].layer.backward(be, p, in, d, to, m.reducers[s.layer]);
        });
        break;
      case detail::unet_operation::rectify:
        to_input(true, [&](view_of<Be, T> to) {
          graph_.rectifiers[s.layer].layer.backward(be, p, in, d, to, m.rectifiers[s.layer]);
        });
        break;
      case detail::unet_operation::resample:
        to_input(false, [&](view_of<Be, T> to) { resample_backward<Be, T>(be, s.how, d, to); });
        break;
      case detail::unet_operation::concatenate:
        to_input(false, [&](view_of<Be, T> to) { separate(be, d, to, none); });
        give(s.beside, m.adds[k][1], false, [&](view_of<Be, T> to) { separate(be, d, none, to); });
        break;
      case detail::unet_operation::add: {
        const auto copy = [&](view_of<Be, T> to) { be.combine(to, term_of<Be, T>{1 / s.divisor, d}); };
        to_input(false, copy);
        give(s.beside, m.adds[k][1], false, copy);
        break;
      }
    }
  }

  unet_recipe recipe_{};
  std::size_t multiple_{};
  bool recompute_{};
  detail::unet_graph graph_;
};
static_assert(Layer<unet_body, archetype_backend, float> && Layer<unet_body, archetype_backend, double>);

}  // namespace softscore::inline SOFTSCORE_ABI
