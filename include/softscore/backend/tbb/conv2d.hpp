#pragma once

#include <softscore/backend/tbb/conv2d_plain.hpp>

namespace softscore {

/// A convolution on the tbb backend: the method that suits its sizes, with its scratch.
template <class T>
struct tbb_conv2d {
  conv2d_shape sizes;
  detail::plain_conv2d<T> method;
};

/// Plans a convolution; throws `error` for sizes that no convolution has.
template <class T>
tbb_conv2d<T> make_conv2d(tbb_backend&, const conv2d_shape& sizes, const tbb_scratch<T>& scratch = {}) {
  require_valid(sizes);
  return {sizes, {sizes, scratch}};
}

/// To be called after the weights changed and before the next forward or backward pass.
template <class T>
void conv2d_prepare(tbb_backend& be, tbb_conv2d<T>& plan, const_view<T, host_space> weight /*(O,I,k,k)*/) {
  plan.method.prepare(be, raw(weight));
}

/// y (N,O,H,W) = weight (O,I,k,k) * x (N,I,H,W) + bias (O).
template <class T>
void conv2d_forward(tbb_backend& be, tbb_conv2d<T>& plan, const_view<T, host_space> x, const_view<T, host_space> weight,
                    const_view<T, host_space> bias, view<T, host_space> y) {
  plan.method.forward(be, x.extent().images, raw(x), raw(weight), raw(bias), raw(y));
}

/// The gradients of a loss with respect to x, weight and bias, from dy, that with respect to y. They are set, not added
/// to; dx, or dweight together with dbias, may be empty and is then skipped.
template <class T>
void conv2d_backward(tbb_backend& be, tbb_conv2d<T>& plan, const_view<T, host_space> x,
                     const_view<T, host_space> weight, const_view<T, host_space> dy, view<T, host_space> dx,
                     view<T, host_space> dweight, view<T, host_space> dbias) {
  const std::size_t images = dy.extent().images;
  if (!dx.empty()) plan.method.input_gradient(be, images, raw(weight), raw(dy), raw(dx));
  if (!dweight.empty()) plan.method.weight_gradient(be, images, raw(x), raw(dy), raw(dweight), raw(dbias));
}

}  // namespace softscore
