#pragma once

#include <cstddef>
#include <memory>

#include <softscore/backend/attention_shape.hpp>
#include <softscore/backend/cuda/attention_tasks.hpp>
#include <softscore/backend/cuda/conv2d.hpp>
#include <softscore/backend/cuda/device_backend.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// What attention keeps on a device from the forward pass for the backward pass, three numbers per image, head and
/// token: the largest score, 1 over the sum of the exponentials, and room for a mean.
template <class T, class Device>
struct device_attention {
  attention_shape sizes;
  device_array<T, Device> greatest, inverse, means;
};

/// Plans attention for at most `sizes.images` images. Throws `error` for unsupported sizes.
template <class T, class Device>
device_attention<T, Device> make_attention(device_backend<Device>& be, const attention_shape& sizes,
                                           const std::shared_ptr<device_scratch<T, Device>>& /*scratch*/ = nullptr) {
  require_valid(sizes);
  const shape numbers{sizes.images, sizes.heads, 1, sizes.tokens()};
  return {sizes, be.template make_unset<T>(numbers), be.template make_unset<T>(numbers),
          be.template make_unset<T>(numbers)};
}

/// y = softmax(q k^T / sqrt(head_width)) v, as on the serial backend.
template <class Device, Scalar T>
void attention_forward(device_backend<Device>& be, device_attention<T, Device>& plan, const_view<T, cuda_space> qkv,
                       view<T, cuda_space> y) {
  require_fits(plan.sizes, qkv.extent());
  be.note(detail::attention_forward_task<T>{raw(qkv), raw(y), raw(plan.greatest.view()), raw(plan.inverse.view()),
                                            qkv.extent().images * plan.sizes.heads, detail::steps_of(plan.sizes)});
}

/// The gradient with respect to qkv, from dy, as on the serial backend; y and qkv are those of the last forward pass.
template <class Device, Scalar T>
void attention_backward(device_backend<Device>& be, device_attention<T, Device>& plan, const_view<T, cuda_space> qkv,
                        const_view<T, cuda_space> y, const_view<T, cuda_space> dy, view<T, cuda_space> dqkv) {
  require_fits(plan.sizes, qkv.extent());
  const std::size_t pairs = qkv.extent().images * plan.sizes.heads;
  const detail::attention_steps at = detail::steps_of(plan.sizes);
  T* const greatest = raw(plan.greatest.view());
  T* const inverse = raw(plan.inverse.view());
  T* const means = raw(plan.means.view());
  be.note(detail::attention_queries_task<T>{raw(qkv), raw(y), raw(dy), greatest, inverse, means, raw(dqkv), pairs, at});
  be.note(detail::attention_keys_task<T>{raw(qkv), raw(dy), greatest, inverse, means, raw(dqkv), pairs, at});
}

}  // namespace softscore::inline SOFTSCORE_ABI
