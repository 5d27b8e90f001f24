#pragma once

// The operations of networks on every backend are compiled once for all tests (operations.cpp beside this file), as
// strongly as a user's program is. A unit that includes this header takes them from there and compiles only what it
// tests. The compiler's options for the instruction set must be the same on both sides.

#include <cstddef>
#include <memory>

#include <softscore/backend/activation.hpp>
#include <softscore/backend/attention_shape.hpp>
#include <softscore/backend/conv2d_shape.hpp>
#include <softscore/backend/dropout.hpp>
#include <softscore/backend/group_norm_shape.hpp>
#include <softscore/backend/joined_view.hpp>
#include <softscore/backend/operations.hpp>
#include <softscore/backend/serial.hpp>
#include <softscore/core/config.hpp>

#include "../device_under_test.hpp"

// SHARED_OPERATIONS(keyword, Be, T): explicit instantiations for a backend and a precision; the keyword is `extern` for
// their declarations and nothing for their definitions. Those that plan have arguments of each backend's own.
#define SHARED_OPERATIONS(keyword, Be, T)                                                                            \
  keyword template void activate_forward(Be&, activation, const_view<T, Be::space>, view<T, Be::space>);             \
  keyword template void activate_backward(Be&, activation, const_view<T, Be::space>, const_view<T, Be::space>,       \
                                          view<T, Be::space>);                                                       \
  keyword template void attention_forward(Be&, attention_plan_of<Be, T>&, const_view<T, Be::space>,                  \
                                          view<T, Be::space>);                                                       \
  keyword template void attention_backward(Be&, attention_plan_of<Be, T>&, const_view<T, Be::space>,                 \
                                           const_view<T, Be::space>, const_view<T, Be::space>, view<T, Be::space>);  \
  keyword template void concatenate(Be&, const_view<T, Be::space>, const_view<T, Be::space>, view<T, Be::space>);    \
  keyword template void separate(Be&, const_view<T, Be::space>, view<T, Be::space>, view<T, Be::space>);             \
  keyword template void conv2d_prepare(Be&, conv2d_plan_of<Be, T>&, const_view<T, Be::space>);                       \
  keyword template void conv2d_forward(Be&, conv2d_plan_of<Be, T>&, joined_in_of<Be, T>, const_view<T, Be::space>,   \
                                       const_view<T, Be::space>, view<T, Be::space>, const_view<T, Be::space>);      \
  keyword template void conv2d_backward(Be&, conv2d_plan_of<Be, T>&, joined_in_of<Be, T>, const_view<T, Be::space>,  \
                                        const_view<T, Be::space>, view<T, Be::space>, view<T, Be::space>,            \
                                        view<T, Be::space>);                                                         \
  keyword template void dropout(Be&, const noise_key&, image_range, double, bool, const_view<T, Be::space>,          \
                                view<T, Be::space>);                                                                 \
  keyword template void group_norm_forward(Be&, group_norm_plan_of<Be, T>&, joined_in_of<Be, T>,                     \
                                           const_view<T, Be::space>, const_view<T, Be::space>,                       \
                                           const_view<T, Be::space>, const_view<T, Be::space>, view<T, Be::space>);  \
  keyword template void group_norm_backward(                                                                         \
      Be&, group_norm_plan_of<Be, T>&, joined_in_of<Be, T>, const_view<T, Be::space>, const_view<T, Be::space>,      \
      const_view<T, Be::space>, const_view<T, Be::space>, const_view<T, Be::space>, view<T, Be::space>,              \
      view<T, Be::space>, view<T, Be::space>, view<T, Be::space>, view<T, Be::space>, const_view<T, Be::space>,      \
      joined_in_of<Be, T>, joined_out_of<Be, T>);                                                                    \
  keyword template void layer_norm_forward(Be&, layer_norm_plan_of<Be, T>&, const_view<T, Be::space>,                \
                                           const_view<T, Be::space>, const_view<T, Be::space>, view<T, Be::space>);  \
  keyword template void layer_norm_backward(                                                                         \
      Be&, layer_norm_plan_of<Be, T>&, const_view<T, Be::space>, const_view<T, Be::space>, const_view<T, Be::space>, \
      const_view<T, Be::space>, view<T, Be::space>, view<T, Be::space>, view<T, Be::space>);                         \
  keyword template void layer_norm_gelu_prepare(Be&, layer_norm_gelu_plan_of<Be, T>&, const_view<T, Be::space>,      \
                                                const_view<T, Be::space>);                                           \
  keyword template void layer_norm_gelu_forward(Be&, layer_norm_gelu_plan_of<Be, T>&, const_view<T, Be::space>,      \
                                                const_view<T, Be::space>, const_view<T, Be::space>,                  \
                                                const_view<T, Be::space>, view<T, Be::space>);                       \
  keyword template void layer_norm_gelu_backward(Be&, layer_norm_gelu_plan_of<Be, T>&, const_view<T, Be::space>,     \
                                                 const_view<T, Be::space>, const_view<T, Be::space>,                 \
                                                 const_view<T, Be::space>, view<T, Be::space>, view<T, Be::space>,   \
                                                 view<T, Be::space>, view<T, Be::space>);                            \
  keyword template void linear_forward(Be&, const_view<T, Be::space>, const_view<T, Be::space>,                      \
                                       const_view<T, Be::space>, view<T, Be::space>);                                \
  keyword template void linear_backward(Be&, const_view<T, Be::space>, const_view<T, Be::space>,                     \
                                        const_view<T, Be::space>, view<T, Be::space>, view<T, Be::space>,            \
                                        view<T, Be::space>);                                                         \
  keyword template void gelu_forward(Be&, const_view<T, Be::space>, view<T, Be::space>);                             \
  keyword template void gelu_backward(Be&, const_view<T, Be::space>, const_view<T, Be::space>, view<T, Be::space>);  \
  keyword template layer_norm_plan_of<Be, T> make_layer_norm<T>(Be&, const shape&, double);                          \
  keyword template layer_norm_gelu_plan_of<Be, T> make_layer_norm_gelu<T>(Be&, const shape&);                        \
  keyword template group_norm_plan_of<Be, T> make_group_norm<T>(Be&, const group_norm_shape&)

#define SHARED_TBB_PLANS(keyword, T)                                                                      \
  keyword template tbb_conv2d<T> make_conv2d<T>(tbb_backend&, const conv2d_shape&, const tbb_scratch<T>&, \
                                                conv2d_method);                                           \
  keyword template tbb_attention<T> make_attention<T>(tbb_backend&, const attention_shape&, const tbb_scratch<T>&)

#define SHARED_DEVICE_PLANS(keyword, Device, T)                                                                   \
  keyword template device_conv2d<T, Device> make_conv2d<T>(device_backend<Device>&, const conv2d_shape&,          \
                                                           std::shared_ptr<device_scratch<T, Device>>);           \
  keyword template device_attention<T, Device> make_attention<T>(device_backend<Device>&, const attention_shape&, \
                                                                 const std::shared_ptr<device_scratch<T, Device>>&)

namespace softscore {

#if defined(__CUDACC__)
using shared_device = cuda_device;
#else
using shared_device = emulated_device;
#endif
using shared_device_backend = device_backend<shared_device>;

#if !defined(SHARED_OPERATIONS_ARE_DEFINED_HERE)
SHARED_OPERATIONS(extern, serial_backend, float);
SHARED_OPERATIONS(extern, serial_backend, double);
#if !defined(__CUDACC__)
SHARED_OPERATIONS(extern, tbb_backend, float);
SHARED_OPERATIONS(extern, tbb_backend, double);
SHARED_TBB_PLANS(extern, float);
SHARED_TBB_PLANS(extern, double);
#endif
SHARED_OPERATIONS(extern, shared_device_backend, float);
SHARED_OPERATIONS(extern, shared_device_backend, double);
SHARED_DEVICE_PLANS(extern, shared_device, float);
SHARED_DEVICE_PLANS(extern, shared_device, double);
#endif

}  // namespace softscore
