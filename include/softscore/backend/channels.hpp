#pragma once

#include <softscore/backend/concept.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

// Operations with a number for each channel, as bodies of `map_channels`. Their arguments are an element and its
// channel's number, or vectors of both.

struct scale_channel {
  template <class V>
  SOFTSCORE_HD V operator()(V x, V number) const {
    return x * number;
  }
};

struct add_channel {
  template <class V>
  SOFTSCORE_HD V operator()(V x, V number) const {
    return x + number;
  }
};

struct spread_channel {
  template <class V>
  SOFTSCORE_HD V operator()(V /*x*/, V number) const {
    return number;
  }
};

/// Sets y (N,C,H,W) to x times g, a number for each image and channel (N,C) or for each channel (1,C). y may be x. The
/// gradient with respect to x is the same call on dy; the gradient with respect to g (N,C) is `dot_pixels` of dy and x.
template <class Be, class T>
void scale_channels_forward(Be& be, in_of<Be, T> x, in_of<Be, T> g, out_of<Be, T> y) {
  map_channels(be, scale_channel{}, x, g, y);
}

/// dx and dg (N,C) from dy and the arguments of the forward pass. Either may be empty; dx may be dy.
template <class Be, class T>
void scale_channels_backward(Be& be, in_of<Be, T> x, in_of<Be, T> g, in_of<Be, T> dy, out_of<Be, T> dx,
                             out_of<Be, T> dg) {
  if (!dg.empty()) dot_pixels(be, dy, x, dg);
  if (!dx.empty()) map_channels(be, scale_channel{}, dy, g, dx);
}

/// Sets y (N,C,H,W) to x plus v, a number for each image and channel (N,C) or for each channel (1,C). y may be x. The
/// gradient with respect to v (N,C) is `sum_pixels` of dy.
template <class Be, class T>
void add_channels(Be& be, in_of<Be, T> x, in_of<Be, T> v, out_of<Be, T> y) {
  map_channels(be, add_channel{}, x, v, y);
}

/// Sets y (N,C,H,W) to planes that hold the numbers of v, (N,C) or (1,C). The gradient with respect to v (N,C) is
/// `sum_pixels` of dy.
template <class Be, class T>
void spread_channels(Be& be, in_of<Be, T> v, out_of<Be, T> y) {
  map_channels(be, spread_channel{}, y, v, y);  // the body ignores what is in y
}

}  // namespace softscore::inline SOFTSCORE_ABI
