#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include <softscore/backend/activation.hpp>
#include <softscore/backend/archetype_operations.hpp>
#include <softscore/backend/operations.hpp>
#include <softscore/core/config.hpp>
#include <softscore/nn/activate.hpp>
#include <softscore/nn/conv2d.hpp>
#include <softscore/nn/dropout_layer.hpp>
#include <softscore/nn/layer.hpp>
#include <softscore/nn/sequential.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Options of blocks without norms.
struct relu_options {
  std::size_t inner_channels{}, out_channels{};
  double dropout{};       ///< probability that a channel after a convolution is dropped
  bool drops_last{true};  ///< after the second one too
};

/// The residual block of the network of Ng et al. n.d. (Crowson and Pressman 2021): x (N,I,H,W) -> y (N,O,H,W) =
/// skip(x) + relu(conv(relu(conv(x)))). `skip` is a 1x1 convolution without bias if the channels differ, otherwise the
/// identity. Its convolutions are named main.0 and main.3, as PyTorch numbers them.
class relu_block {
 public:
  /// Throws `error` for a dropout outside [0, 1).
  explicit relu_block(const relu_options& options)
      : o_{options},
        main_{conv2d{o_.inner_channels},
              dropout_layer{o_.dropout, true},
              activate{activation::relu},
              conv2d{o_.out_channels},
              dropout_layer{o_.drops_last ? o_.dropout : 0, true},
              activate{activation::relu}},
        skip_{o_.out_channels, conv2d_options{.kernel = 1, .bias = false}} {}

  shape place(placement& to, const std::string& name, const shape& in) {
    const shape out = main_.place(to, name + ".main", in);
    has_skip_ = in.channels != o_.out_channels;
    if (has_skip_) skip_.place(to, name + ".skip", in);
    return out;
  }
  shape output(const shape& in) const { return main_.output(in); }

  using layers = sequential<conv2d, dropout_layer, activate, conv2d, dropout_layer, activate>;
  template <class Be, class T>
  struct state {
    typename layers::template state<Be, T> main;
    std::optional<conv2d::state<Be, T>> skip;
    planned_array<Be, T> of_main, d_skip;
  };
  template <class Be, class T>
  state<Be, T> memory(planning<Be, T>& with, const shape& in) const {
    const typename planning<Be, T>::temporary_scope scope{with};
    const planned_array<Be, T> none{}, of_main = has_skip_ ? with.temporary(output(in)) : none,
                                       d_skip = has_skip_ ? with.temporary(in) : none;
    auto main = main_.memory(with, in);
    return {std::move(main), has_skip_ ? std::optional{skip_.memory(with, in)} : std::nullopt, of_main, d_skip};
  }

  template <class Be, class T>
  void prepare(Be& be, in_of<Be, T> parameters, state<Be, T>& m) const {
    main_.prepare(be, parameters, m.main);
    if (has_skip_) skip_.prepare(be, parameters, *m.skip);
  }
  template <class Be, class T>
  void forward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, out_of<Be, T> y, state<Be, T>& m) const {
    if (has_skip_) {
      const view_of<Be, T> of_main = m.of_main.view(p.images);
      main_.forward(be, p, x, of_main, m.main);
      skip_.forward_and_add(be, p, x, of_main, y, *m.skip);
    } else {
      main_.forward(be, p, x, y, m.main);
      be.combine(y, term{1.0, y}, term_of<Be, T>{1.0, x});
    }
  }
  template <class Be, class T>
  void backward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, in_of<Be, T> dy, out_of<Be, T> dx,
                state<Be, T>& m) const {
    main_.backward(be, p, x, dy, dx, m.main);
    const view_of<Be, T> none{}, d_skip = has_skip_ && !dx.empty() ? m.d_skip.view(p.images) : none;
    if (has_skip_) skip_.backward(be, p, x, dy, d_skip, *m.skip);
    if (!dx.empty()) be.combine(dx, term{1.0, dx}, has_skip_ ? term_of<Be, T>{1.0, d_skip} : term_of<Be, T>{1.0, dy});
  }

 private:
  relu_options o_;
  layers main_;
  conv2d skip_;
  bool has_skip_{};
};
static_assert(Layer<relu_block, archetype_backend, float> && Layer<relu_block, archetype_backend, double>);

}  // namespace softscore::inline SOFTSCORE_ABI
