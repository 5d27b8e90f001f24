#pragma once

#include <cstddef>
#include <string>

#include <softscore/backend/archetype_operations.hpp>
#include <softscore/core/config.hpp>
#include <softscore/nn/conv2d.hpp>
#include <softscore/nn/layer.hpp>
#include <softscore/nn/named.hpp>
#include <softscore/nn/resampling.hpp>
#include <softscore/nn/sequential.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// How the encoder of NCSN++ (Song et al. 2021) reduces the picture beside x: x (N,I,H,W) -> y (N,O,H/2,W/2), a 3x3
/// convolution of x with two zeros around it, filtered by (1, 3, 3, 1) at every second pixel. The filter keeps a
/// constant unchanged, so the bias of the convolution is also the bias of the whole.
class picture_reducer {
 public:
  explicit picture_reducer(std::size_t out_channels)
      : layers_{named{"", conv2d{out_channels, conv2d_options{.padding = conv2d_padding::all(2)}}},
                named{"", fir_downsample_inside{}}} {}

  shape place(placement& to, const std::string& name, const shape& in) { return layers_.place(to, name, in); }
  shape output(const shape& in) const { return layers_.output(in); }

  using layers = sequential<named<conv2d>, named<fir_downsample_inside>>;
  template <class Be, class T>
  using state = typename layers::template state<Be, T>;
  template <class Be, class T>
  state<Be, T> memory(planning<Be, T>& with, const shape& in) const {
    return layers_.memory(with, in);
  }
  template <class Be, class T>
  void prepare(Be& be, in_of<Be, T> parameters, state<Be, T>& m) const {
    layers_.prepare(be, parameters, m);
  }
  template <class Be, class T>
  void forward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, out_of<Be, T> y, state<Be, T>& m) const {
    layers_.forward(be, p, x, y, m);
  }
  template <class Be, class T>
  void backward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, in_of<Be, T> dy, out_of<Be, T> dx,
                state<Be, T>& m) const {
    layers_.backward(be, p, x, dy, dx, m);
  }

 private:
  layers layers_;
};
static_assert(Layer<picture_reducer, archetype_backend, float> && Layer<picture_reducer, archetype_backend, double>);

}  // namespace softscore::inline SOFTSCORE_ABI
