#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <softscore/backend/operations.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/conditioning.hpp>
#include <softscore/core/config.hpp>
#include <softscore/nn/parameters.hpp>
#include <softscore/nn/planning.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// A dense layer of numbers that come from the host, one row for each image: (N,I) -> (N,O), with `weight` (O,I) and
// optionally `bias` (O).
class given_vector {
 public:
  given_vector(parameter_layout& layout, const std::string& name, std::size_t inputs, std::size_t outputs, bool bias)
      : inputs_{inputs}, outputs_{outputs}, biased_{bias} {
    const double spread = 1 / std::sqrt(static_cast<double>(inputs));
    weight_ = layout.add(name + ".weight", {outputs, inputs}, 0, spread);
    if (bias) bias_ = layout.add(name + ".bias", {outputs}, 0, spread);
  }

  std::size_t inputs() const { return inputs_; }

  template <class Be, class T>
  struct state {
    std::vector<T> staging;      // (N,I)
    array_of<Be, T> input, out;  // (N,I), (N,O)
  };
  template <class Be, class T>
  state<Be, T> memory(planning<Be, T>& with) const {
    Be& be = with.backend();
    const std::size_t n = with.images();
    return {std::vector<T>(n * inputs_), be.template make<T>({n, inputs_, 1, 1}),
            be.template make<T>({n, outputs_, 1, 1})};
  }

  // Rows that are `size` at the label and 0 elsewhere; all 0 if there is no label.
  template <class Be, class T>
  void set_labels(std::span<const class_label> labels, double size, std::size_t rows, state<Be, T>& m) const {
    std::fill(m.staging.begin(), m.staging.end(), T{});
    if (labels.empty()) return;
    for (std::size_t n = 0; n < rows; ++n)
      if (labels[n] != no_class) m.staging[n * inputs_ + static_cast<std::size_t>(labels[n])] = static_cast<T>(size);
  }
  // The caller's numbers; 0 if there are none.
  template <class Be, class T>
  void set_numbers(view<const float, host_space> numbers, std::size_t rows, state<Be, T>& m) const {
    for (std::size_t k = 0; k < rows * inputs_; ++k) m.staging[k] = numbers.empty() ? T{} : static_cast<T>(numbers[k]);
  }
  // The result (rows,O).
  template <class Be, class T>
  view_of<Be, const T> forward(Be& be, in_of<Be, T> parameters, std::size_t rows, state<Be, T>& m) const {
    using constant = view_of<Be, const T>;
    const view_of<Be, T> in = m.input.view().images(0, rows), out = m.out.view().images(0, rows);
    be.upload(m.staging.data(), in);
    linear_forward(be, constant{in}, weight_in(constant{parameters}), bias_in(constant{parameters}), out);
    return out;
  }
  template <class Be, class T>
  void backward(Be& be, in_of<Be, T> parameters, in_of<Be, T> d, out_of<Be, T> gradients, state<Be, T>& m) const {
    using constant = view_of<Be, const T>;
    linear_backward(be, constant{m.input.view().images(0, d.extent().images)}, weight_in(constant{parameters}), d,
                    view_of<Be, T>{}, weight_in(view_of<Be, T>{gradients}), bias_in(view_of<Be, T>{gradients}));
  }

 private:
  template <class V>
  V weight_in(V flat) const {
    return flat.slice(weight_, {outputs_, inputs_, 1, 1});
  }
  template <class V>
  V bias_in(V flat) const {
    return biased_ ? flat.slice(bias_, {1, outputs_, 1, 1}) : V{};
  }

  std::size_t inputs_, outputs_, weight_{}, bias_{};
  bool biased_;
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
