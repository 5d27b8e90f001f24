#pragma once

#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include <softscore/backend/archetype_operations.hpp>
#include <softscore/backend/channels.hpp>
#include <softscore/backend/operations.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/nn/conv2d.hpp>
#include <softscore/nn/layer.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The transpose of a convolution from O to I channels: x (N,I,H,W) -> y (N,O,H',W'), with H' = (H - 1) stride + kernel
/// height - top - bottom, and W' likewise. Its parameters are `weight` (I,O,kernel height,kernel width) and `bias` (O),
/// as PyTorch's ConvTranspose2d.
class conv2d_transposed {
 public:
  conv2d_transposed(std::size_t out_channels, const conv2d_options& options)
      : sizes_{.in_channels = out_channels,
               .kernel = options.kernel,
               .stride = options.stride,
               .padding = options.padding},
        has_bias_{options.bias} {}

  shape place(placement& to, const std::string& name, const shape& in) {
    sizes_.out_channels = in.channels;
    const shape out = output(in);
    const double spread = 1 / std::sqrt(static_cast<double>(sizes_.fan_in()));
    weight_ =
        to.add(name + ".weight", {in.channels, out.channels, sizes_.kernel.height, sizes_.kernel.width}, 0, spread);
    if (has_bias_) bias_ = to.add(name + ".bias", {out.channels}, 0, spread);
    return out;
  }
  shape output(const shape& in) const {
    if (in.plane() == 0) return {1, sizes_.in_channels, 0, 0};
    const conv2d_shape sizes = of(in, 1);
    require_valid(sizes);
    return sizes.input(1);
  }

  template <class Be, class T>
  struct state {
    conv2d_plan_of<Be, T> plan;      // of the convolution, which maps y to x
    planned_array<Be, T> sums, row;  // (N,O): of dy over the pixels; (N): the number of the row they are added to, 0
  };
  template <class Be, class T>
  state<Be, T> memory(planning<Be, T>& with, const shape& in) const {
    const typename planning<Be, T>::temporary_scope scope{with};
    return {with.convolution(of(in, with.images())), with.temporary({1, sizes_.in_channels, 1, 1}),
            with.temporary({1, 1, 1, 1})};
  }

  template <class Be, class T>
  void prepare(Be& be, in_of<Be, T> parameters, state<Be, T>& m) const {
    conv2d_prepare(be, m.plan, weight_.in(parameters));
  }
  template <class Be, class T>
  void forward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, out_of<Be, T> y, state<Be, T>& m) const {
    using none = view_of<Be, T>;
    conv2d_backward(be, m.plan, none{}, weight_.in(p.parameters), x, y, none{}, none{});
    if (has_bias_) add_channels<Be, T>(be, y, bias_.in(p.parameters), y);
  }
  template <class Be, class T>
  void backward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, in_of<Be, T> dy, out_of<Be, T> dx,
                state<Be, T>& m) const {
    using none = view_of<Be, T>;
    if (!dx.empty()) conv2d_forward(be, m.plan, dy, weight_.in(p.parameters), none{}, dx);
    if (p.gradients.empty()) return;
    conv2d_backward(be, m.plan, dy, weight_.in(p.parameters), x, none{}, weight_.in(p.gradients), none{});
    if (!has_bias_) return;
    const view_of<Be, T> sums = m.sums.view(p.images), row = m.row.view(p.images);
    sum_pixels(be, dy, sums);
    be.for_each(detail::set_zero{}, row);
    scatter_rows(be, row, sums, bias_.in(p.gradients));
  }

 private:
  conv2d_shape of(const shape& in, std::size_t images) const {
    conv2d_shape s = sizes_;
    s.images = images;
    s.out_channels = in.channels;
    const conv2d_padding border = s.border();
    s.height = side(in.height, s.kernel.height, border.top + border.bottom);
    s.width = side(in.width, s.kernel.width, border.left + border.right);
    return s;
  }
  std::size_t side(std::size_t pixels, std::size_t kernel, std::size_t border) const {
    require(sizes_.stride > 0 && pixels <= (std::numeric_limits<std::uint32_t>::max)() / sizes_.stride, "stride",
            sizes_.stride, "at least 1, and not too large for the image");
    const std::size_t padded = (pixels - 1) * sizes_.stride + kernel;
    require(padded > border, "the padding of a transposed convolution", border,
            "less than what it leaves, " + std::to_string(padded));
    return padded - border;
  }

  conv2d_shape sizes_;  // in_channels is O
  bool has_bias_;
  parameter_slice weight_, bias_;
};
static_assert(Layer<conv2d_transposed, archetype_backend, float> &&
              Layer<conv2d_transposed, archetype_backend, double>);

}  // namespace softscore::inline SOFTSCORE_ABI
