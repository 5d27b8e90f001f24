#pragma once

#include <cmath>
#include <string>

#include <softscore/backend/channels.hpp>
#include <softscore/backend/operations.hpp>
#include <softscore/nn/layer.hpp>

namespace gates {

using namespace softscore;

// begin elements
// These run for every element.
struct sigmoid {
  template <class T>
  SOFTSCORE_HD void operator()(T& g) const {
    g = T(1) / (T(1) + std::exp(-g));
  }
};
struct sigmoid_slope {
  template <class T>
  SOFTSCORE_HD void operator()(T& d, const T& g) const {
    d *= g * (T(1) - g);
  }
};
// end elements

// begin layer
// y = x g with a gate for each image and channel: g = sigmoid(W mean(x) + b), where the mean is over the pixels.
class channel_gate : public prepares_nothing {
 public:
  shape place(placement& to, const std::string& name, const shape& in) {
    weight_ = to.add(name + ".weight", {in.channels, in.channels}, 0, 0.1);  // starts uniform in 0 +- 0.1
    bias_ = to.add(name + ".bias", {in.channels}, 2, 0);                     // the gates start almost open
    return in;
  }
  shape output(const shape& in) const { return in; }
  template <class Be, class T>
  struct state {
    planned_array<Be, T> mean, gate, d_gate, d_mean;  // (N,C) each
  };
  template <class Be, class T>
  state<Be, T> memory(planning<Be, T>& with, const shape& in) const {
    const shape row{1, in.channels, 1, 1};
    return {with.keep(row), with.keep(row), with.temporary(row), with.temporary(row)};
  }
  template <class Be, class T>
  void forward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, out_of<Be, T> y, state<Be, T>& m) const {
    const auto mean = m.mean.view(p.images), gate = m.gate.view(p.images);
    sum_pixels(be, x, mean);
    be.combine(mean, term{1.0 / static_cast<double>(x.extent().plane()), mean});
    linear_forward(be, mean, weight_.in(p.parameters), bias_.in(p.parameters), gate);
    be.for_each(sigmoid{}, gate);
    scale_channels_forward<Be, T>(be, x, gate, y);
  }
  template <class Be, class T>
  void backward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, in_of<Be, T> dy, out_of<Be, T> dx,
                state<Be, T>& m) const {
    const auto gate = m.gate.view(p.images), d_gate = m.d_gate.view(p.images), d_mean = m.d_mean.view(p.images);
    scale_channels_backward<Be, T>(be, x, gate, dy, dx, d_gate);
    be.for_each(sigmoid_slope{}, d_gate, gate);
    linear_backward(be, m.mean.view(p.images), weight_.in(p.parameters), d_gate, d_mean, weight_.in(p.gradients),
                    bias_.in(p.gradients));
    be.combine(d_mean, term{1.0 / static_cast<double>(x.extent().plane()), d_mean});
    if (!dx.empty()) add_channels<Be, T>(be, dx, d_mean, dx);  // the two paths from x meet
  }

 private:
  parameter_slice weight_, bias_;
};
// end layer

}  // namespace gates
