#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <type_traits>

#include <softscore/compiled/backend.hpp>
#include <softscore/compiled/table.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/shape.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// What an operation of kind `Kind` keeps between calls on a `compiled_backend`. Copies share it. Kernels of another
/// instruction set refuse it.
template <class Kind, class T>
class compiled_plan {
 public:
  compiled_plan() = default;
  explicit compiled_plan(compiled::owned made) : object_{made.object, made.destroy}, of_{made.of} {}
  operator compiled::handle<Kind, T>() const { return {object_.get(), of_}; }

 private:
  std::shared_ptr<void> object_{};
  const compiled::kernels* of_{};
};

/// The plan of a convolution, which also tells which method was chosen.
template <class T>
class compiled_conv2d : public compiled_plan<compiled::conv2d_kind, T> {
 public:
  compiled_conv2d(compiled::owned made, const compiled::operations<T>& with)
      : compiled_plan<compiled::conv2d_kind, T>{made}, with_{&with} {}
  std::string_view describe() const { return with_->describe_conv2d(*this); }

 private:
  const compiled::operations<T>* with_;
};

template <Scalar T>
compiled_plan<compiled::scratch_kind, T> make_scratch(compiled_backend& be) {
  return compiled_plan<compiled::scratch_kind, T>{
      detail::operations_of<T>(be).make_scratch(detail::kernels_behind<T>(be))};
}

template <Scalar T>
compiled_conv2d<T> make_conv2d(compiled_backend& be, const conv2d_shape& sizes,
                               const compiled_plan<compiled::scratch_kind, T>& scratch = {}) {
  const auto& with = detail::operations_of<T>(be);
  return {with.make_conv2d(detail::kernels_behind<T>(be), sizes, scratch), with};
}

template <Scalar T>
compiled_plan<compiled::layer_norm_gelu_kind, T> make_layer_norm_gelu(compiled_backend& be, const shape& sizes) {
  return compiled_plan<compiled::layer_norm_gelu_kind, T>{
      detail::operations_of<T>(be).make_layer_norm_gelu(detail::kernels_behind<T>(be), sizes)};
}

template <Scalar T>
compiled_plan<compiled::group_norm_kind, T> make_group_norm(compiled_backend& be, const group_norm_shape& sizes) {
  return compiled_plan<compiled::group_norm_kind, T>{
      detail::operations_of<T>(be).make_group_norm(detail::kernels_behind<T>(be), sizes)};
}

template <Scalar T>
compiled_plan<compiled::layer_norm_kind, T> make_layer_norm(compiled_backend& be, const shape& sizes, double epsilon) {
  return compiled_plan<compiled::layer_norm_kind, T>{
      detail::operations_of<T>(be).make_layer_norm(detail::kernels_behind<T>(be), sizes, epsilon)};
}

template <Scalar T>
compiled_plan<compiled::attention_kind, T> make_attention(
    compiled_backend& be, const attention_shape& sizes, const compiled_plan<compiled::scratch_kind, T>& scratch = {}) {
  return compiled_plan<compiled::attention_kind, T>{
      detail::operations_of<T>(be).make_attention(detail::kernels_behind<T>(be), sizes, scratch)};
}

}  // namespace softscore::inline SOFTSCORE_ABI
