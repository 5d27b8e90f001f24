#pragma once

#include <string_view>
#include <type_traits>
#include <variant>

#include <softscore/backend/tbb/conv2d_direct.hpp>
#include <softscore/backend/tbb/conv2d_fft.hpp>
#include <softscore/backend/tbb/conv2d_plain.hpp>
#include <softscore/backend/tbb/layout.hpp>

namespace softscore {

namespace detail {

// The ways to convolve; which of them a plan holds depends on its sizes.
template <class T>
struct conv2d_methods {
  using type = std::variant<plain_conv2d<T>>;
};
template <>
struct conv2d_methods<float> {
  using type = std::variant<plain_conv2d<float>, direct_conv2d<native_lanes>, fft_conv2d<16, native_lanes>,
                            fft_conv2d<32, native_lanes>, fft_conv2d<64, native_lanes>>;
};

template <class T>
typename conv2d_methods<T>::type choose_conv2d(tbb_backend& be, const conv2d_shape& s, const tbb_scratch<T>& scratch) {
  if constexpr (std::is_same_v<T, float>) {
    // A transform costs as much as about ten taps, so small kernels are summed directly.
    constexpr std::size_t smallest_fft_kernel = 5;
    if (s.kernel >= smallest_fft_kernel) {
      if (fft_conv2d<16, native_lanes>::serves(s)) return fft_conv2d<16, native_lanes>{be, s, scratch};
      if (fft_conv2d<32, native_lanes>::serves(s)) return fft_conv2d<32, native_lanes>{be, s, scratch};
      if (fft_conv2d<64, native_lanes>::serves(s)) return fft_conv2d<64, native_lanes>{be, s, scratch};
    }
    if (direct_conv2d<native_lanes>::serves(s)) return direct_conv2d<native_lanes>{be, s, scratch};
  }
  return plain_conv2d<T>{s, scratch};
}

}  // namespace detail

/// A convolution on the tbb backend: the method that suits its sizes, with its memory.
template <class T>
struct tbb_conv2d {
  conv2d_shape sizes;
  typename detail::conv2d_methods<T>::type method;

  /// What was chosen, for people.
  std::string_view describe() const {
    constexpr std::string_view names[] = {"plain loops", "direct sum over blocks of channels", "transform of length 16",
                                          "transform of length 32", "transform of length 64"};
    return names[method.index()];
  }
};

/// Plans a convolution; throws `error` for sizes that no convolution has.
template <class T>
tbb_conv2d<T> make_conv2d(tbb_backend& be, const conv2d_shape& sizes, const tbb_scratch<T>& scratch = {}) {
  require_valid(sizes);
  return {sizes, detail::choose_conv2d<T>(be, sizes, scratch)};
}

/// To be called after the weights changed and before the next forward or backward pass.
template <class T>
void conv2d_prepare(tbb_backend& be, tbb_conv2d<T>& plan, const_view<T, host_space> weight /*(O,I,k,k)*/) {
  std::visit([&](auto& method) { method.prepare(be, raw(weight)); }, plan.method);
}

/// y (N,O,H,W) = weight (O,I,k,k) * x (N,I,H,W) + bias (O).
template <class T>
void conv2d_forward(tbb_backend& be, tbb_conv2d<T>& plan, const_view<T, host_space> x, const_view<T, host_space> weight,
                    const_view<T, host_space> bias, view<T, host_space> y) {
  std::visit([&](auto& method) { method.forward(be, x.extent().images, raw(x), raw(weight), raw(bias), raw(y)); },
             plan.method);
}

/// The gradients of a loss with respect to x, weight and bias, from dy, that with respect to y. They are set, not added
/// to; dx, or dweight together with dbias, may be empty and is then skipped.
template <class T>
void conv2d_backward(tbb_backend& be, tbb_conv2d<T>& plan, const_view<T, host_space> x,
                     const_view<T, host_space> weight, const_view<T, host_space> dy, view<T, host_space> dx,
                     view<T, host_space> dweight, view<T, host_space> dbias) {
  std::visit(
      [&](auto& method) {
        method.backward(be, dy.extent().images, raw(x), raw(weight), raw(dy), raw(dx), raw(dweight), raw(dbias));
      },
      plan.method);
}

}  // namespace softscore
