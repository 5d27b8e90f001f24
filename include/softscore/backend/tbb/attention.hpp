#pragma once

#include <type_traits>

#include <softscore/backend/attention_shape.hpp>
#include <softscore/backend/tbb/attention_blocked.hpp>
#include <softscore/backend/tbb/attention_plain.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Attention on the tbb backend with its memory, which grows with the number of tokens and not with its square.
template <class T>
struct tbb_attention {
  using method_type = std::conditional_t<std::is_same_v<T, float>, detail::blocked_attention<detail::native_lanes>,
                                         detail::plain_attention>;
  attention_shape sizes;
  method_type method;
};

/// Plans attention for at most `sizes.images` images and the backend's threads. Throws `error` for unsupported sizes.
/// Plans that never run at the same time may share one scratch.
template <class T>
tbb_attention<T> make_attention(tbb_backend& be, const attention_shape& sizes, const tbb_scratch<T>& scratch = {}) {
  require_valid(sizes);
  return {sizes, {be, sizes, scratch}};
}

/// y = softmax(q k^T / sqrt(head_width)) v, as on the serial backend.
template <class T>
void attention_forward(tbb_backend& be, tbb_attention<T>& plan, const_view<T, host_space> qkv, view<T, host_space> y) {
  require_fits(plan.sizes, qkv.extent());
  plan.method.forward(be, qkv.extent().images, raw(qkv), raw(y));
}

/// The gradient with respect to qkv, from dy, as on the serial backend; y and qkv are those of the last forward pass.
template <class T>
void attention_backward(tbb_backend& be, tbb_attention<T>& plan, const_view<T, host_space> qkv,
                        const_view<T, host_space> y, const_view<T, host_space> dy, view<T, host_space> dqkv) {
  require_fits(plan.sizes, qkv.extent());
  plan.method.backward(be, qkv.extent().images, raw(qkv), raw(y), raw(dy), raw(dqkv));
}

}  // namespace softscore::inline SOFTSCORE_ABI
