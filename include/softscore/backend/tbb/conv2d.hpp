#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include <softscore/backend/joined_planes.hpp>
#include <softscore/backend/joined_view.hpp>
#include <softscore/backend/tbb/concatenate.hpp>
#include <softscore/backend/tbb/conv2d_plan.hpp>
#include <softscore/backend/tbb/layout.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

// The contents of a plan: the method, in the order of `conv2d_method` without `automatic`.
template <class T>
struct conv2d_variant {
  using type = std::variant<plain_conv2d<T, 1>>;
};
template <>
struct conv2d_variant<float> {
  using type = std::variant<plain_conv2d<float, native_lanes>, direct_conv2d<native_lanes>,
                            pointwise_conv2d<native_lanes>, winograd_conv2d<native_lanes>, fft_conv2d<16, native_lanes>,
                            fft_conv2d<32, native_lanes>, fft_conv2d<64, native_lanes>>;
};

// The alternative that `method` names.
template <class T, std::size_t I = 0>
typename conv2d_variant<T>::type make_method(conv2d_method method, tbb_backend& be, const conv2d_shape& s,
                                             const tbb_scratch<T>& scratch) {
  using variant = typename conv2d_variant<T>::type;
  if constexpr (I + 1 < std::variant_size_v<variant>)
    if (static_cast<std::size_t>(method) != I + 1) return make_method<T, I + 1>(method, be, s, scratch);
  return variant{std::in_place_index<I>, be, s, scratch};
}

// Calls run(x) with the planes of x if the method reads parts, and with the address otherwise. An x in two parts is
// copied if the method cannot read parts.
template <class Method, class T, class Run>
void with_input(tbb_backend& be, const joined_view<const T, host_space>& x, const Run& run) {
  constexpr bool reads_parts = requires { Method::reads_parts; };
  if (x.in_parts() && !(reads_parts && have_joined_blocks<T>(be, x))) {
    const joined_copy<tbb_backend, T> whole{be, x};
    return with_input<Method, T>(be, whole.view(), run);
  }
  if constexpr (reads_parts)
    run(joined_planes<const T>{x});
  else
    run(raw(x.first));
}

}  // namespace detail

/// A convolution on the tbb backend: the method that suits its sizes, with its memory. A moved-from convolution can
/// only be assigned to.
template <class T>
struct tbb_conv2d {
  using methods = typename detail::conv2d_variant<T>::type;  // a class that is compiled only where it is planned
  conv2d_shape sizes;
  std::unique_ptr<methods> method;

  tbb_conv2d(const conv2d_shape& of, std::unique_ptr<methods> chosen) : sizes{of}, method{std::move(chosen)} {}
  /// The method that was chosen, as text for people.
  std::string_view describe() const { return detail::name_of(chosen()); }
  conv2d_method chosen() const { return static_cast<conv2d_method>(method->index() + 1); }
};

/// Plans a convolution, by the given method if there is one. Throws `error` for invalid sizes, and for a method that
/// cannot do these sizes; in double there are only plain loops.
template <class T>
tbb_conv2d<T> make_conv2d(tbb_backend& be, const conv2d_shape& sizes, const tbb_scratch<T>& scratch = {},
                          conv2d_method method = conv2d_method::automatic) {
  require_valid(sizes);
  if constexpr (std::is_same_v<T, float>) {
    method = conv2d_plan(sizes, method);
  } else {
    require(method == conv2d_method::automatic || method == conv2d_method::plain, "the method of a convolution",
            detail::name_of(method), "plain loops in double");
    method = conv2d_method::plain;
  }
  using methods = typename tbb_conv2d<T>::methods;
  return {sizes, std::make_unique<methods>(detail::make_method<T>(method, be, detail::in_numbers(sizes), scratch))};
}

/// Must be called after the weights changed and before the next forward or backward pass.
template <class T>
void conv2d_prepare(tbb_backend& be, tbb_conv2d<T>& plan, const_view<T, host_space> weight /*(O,I,kh,kw)*/) {
  std::visit([&](auto& method) { method.prepare(be, raw(weight)); }, *plan.method);
}

/// Sets y (N,O,H',W') = weight (O,I,kh,kw) * x (N,I,H,W) + bias (O) + addend (N,O,H',W'). An empty bias or addend is 0;
/// the addend must not be y. x may be in two parts. `conv2d_shape` gives H' and W'.
template <class T>
void conv2d_forward(tbb_backend& be, tbb_conv2d<T>& plan, const_joined_view<T, host_space> x,
                    const_view<T, host_space> weight, const_view<T, host_space> bias, view<T, host_space> y,
                    const_view<T, host_space> addend = {}) {
  const std::size_t images = x.extent().images;
  std::visit(
      [&](auto& method) {
        detail::with_input<std::remove_reference_t<decltype(method)>, T>(be, x, [&](const auto& from) {
          if constexpr (requires { method.forward(be, images, from, raw(weight), raw(bias), raw(addend), raw(y)); }) {
            method.forward(be, images, from, raw(weight), raw(bias), raw(addend), raw(y));
          } else {
            method.forward(be, images, from, raw(weight), raw(bias), raw(y));
            if (!addend.empty()) be.combine(y, term{1.0, y}, term_of<tbb_backend, T>{1.0, addend});
          }
        });
      },
      *plan.method);
}

/// Computes the gradients of a loss with respect to x, weight and bias, from dy, the gradient with respect to y. They
/// are set, not added to. An empty gradient is skipped; dbias is empty if dweight is. x may be in two parts, dx is in
/// one.
template <class T>
void conv2d_backward(tbb_backend& be, tbb_conv2d<T>& plan, const_joined_view<T, host_space> x,
                     const_view<T, host_space> weight, const_view<T, host_space> dy, view<T, host_space> dx,
                     view<T, host_space> dweight, view<T, host_space> dbias) {
  std::visit(
      [&](auto& method) {
        detail::with_input<std::remove_reference_t<decltype(method)>, T>(be, x, [&](const auto& from) {
          method.backward(be, dy.extent().images, from, raw(weight), raw(dy), raw(dx), raw(dweight), raw(dbias));
        });
      },
      *plan.method);
}

}  // namespace softscore::inline SOFTSCORE_ABI
