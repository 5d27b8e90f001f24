#pragma once

#include <cstddef>
#include <string>

#include <softscore/backend/archetype_operations.hpp>
#include <softscore/backend/channels.hpp>
#include <softscore/backend/operations.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/nn/bilinear.hpp>
#include <softscore/nn/layer.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {
// From [0, 1] to [-1, 1]. (Not a class's member, because a kernel must see it.)
struct signed_pixel {
  template <class T>
  SOFTSCORE_HD void operator()(T& x) const {
    x = T(2) * x - T(1);
  }
};
}  // namespace detail

/// What Inception sees of an image with pixels in [0, 1] and one or three channels: resized to 299 x 299
/// (`resize_bilinear`), then scaled to [-1, 1]. One channel is repeated to three.
class inception_input : public prepares_nothing {
 public:
  static constexpr std::size_t side = 299;

  shape place(placement&, const std::string&, const shape& in) { return output(in); }
  shape output(const shape& in) const {
    require(in.channels == 1 || in.channels == 3, "the number of channels of an image that Inception sees", in.channels,
            "1 or 3");
    const shape resized = resized_.output(in);
    return {1, 3, resized.height, resized.width};
  }

  template <class Be, class T>
  struct state {
    planned_array<Be, T> one, other, two;  // the resized channel, or gradients; if x has one
  };
  template <class Be, class T>
  state<Be, T> memory(planning<Be, T>& with, const shape& in) const {
    if (in.channels == 3) return {};
    const typename planning<Be, T>::temporary_scope scope{with};
    const auto one = with.temporary({1, 1, side, side}), other = with.temporary({1, 1, side, side});
    return {one, other, with.temporary({1, 2, side, side})};
  }

  template <class Be, class T>
  void forward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, out_of<Be, T> y, state<Be, T>& m) const {
    const bool gray = x.extent().channels == 1;
    const view_of<Be, T> resized = gray ? m.one.view(p.images) : y;
    bilinear_forward<Be, T>(be, x, resized);
    be.for_each(detail::signed_pixel{}, resized);
    if (!gray) return;
    const view_of<Be, const T> channel = resized;
    const view_of<Be, T> two = m.two.view(p.images);
    concatenate(be, channel, channel, two);
    concatenate(be, view_of<Be, const T>{two}, channel, y);
  }
  template <class Be, class T>
  void backward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, in_of<Be, T> dy, out_of<Be, T> dx,
                state<Be, T>& m) const {
    if (dx.empty()) return;
    view_of<Be, const T> d = dy;
    if (x.extent().channels == 1) {
      const view_of<Be, T> sum = m.one.view(p.images), other = m.other.view(p.images), two = m.two.view(p.images),
                           none{};
      separate(be, dy, two, sum);
      for (const bool first : {true, false}) {
        separate(be, view_of<Be, const T>{two}, first ? other : none, first ? none : other);
        be.combine(sum, term{1.0, sum}, term{1.0, other});
      }
      d = sum;
    }
    bilinear_backward<Be, T>(be, d, dx);
    be.combine(dx, term{2.0, dx});
  }

 private:
  resize_bilinear resized_{side, side};
};
static_assert(Layer<inception_input, archetype_backend, float> && Layer<inception_input, archetype_backend, double>);

}  // namespace softscore::inline SOFTSCORE_ABI
