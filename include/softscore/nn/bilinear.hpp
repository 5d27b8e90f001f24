#pragma once

#include <cstddef>
#include <string>

#include <softscore/backend/archetype_operations.hpp>
#include <softscore/backend/bilinear.hpp>
#include <softscore/backend/operations.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/nn/layer.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// x (N,C,H,W) -> y (N,C,height,width) by bilinear interpolation, as PyTorch's interpolate with align_corners=False:
/// pixel o of a side is read at (o + 1/2) H / height - 1/2, and at the border where this is outside.
class resize_bilinear : public stateless_layer {
 public:
  /// Throws `error` for sides that are not from 1 to 65536.
  resize_bilinear(std::size_t height, std::size_t width)
      : height_{checked("height", height)}, width_{checked("width", width)} {}

  shape place(placement&, const std::string&, const shape& in) { return output(in); }
  shape output(const shape& in) const {
    if (in.plane() > 0) {
      checked("the height of the input", in.height);
      checked("the width of the input", in.width);
    }
    return {1, in.channels, height_, width_};
  }

  template <class Be, class T>
  void forward(Be& be, const pass<Be, T>&, in_of<Be, T> x, out_of<Be, T> y, no_memory<Be, T>&) const {
    bilinear_forward<Be, T>(be, x, y);
  }
  template <class Be, class T>
  void backward(Be& be, const pass<Be, T>&, in_of<Be, T>, in_of<Be, T> dy, out_of<Be, T> dx, no_memory<Be, T>&) const {
    if (!dx.empty()) bilinear_backward<Be, T>(be, dy, dx);
  }

 private:
  // Products of two sides and a small number fit into std::size_t.
  static std::size_t checked(const char* what, std::size_t side) {
    require(side >= 1 && side <= 65536, what, side, "between 1 and 65536, where an image is resized");
    return side;
  }

  std::size_t height_, width_;
};
static_assert(Layer<resize_bilinear, archetype_backend, float> && Layer<resize_bilinear, archetype_backend, double>);

}  // namespace softscore::inline SOFTSCORE_ABI
