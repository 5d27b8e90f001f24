#pragma once

#include <array>
#include <cstddef>
#include <type_traits>

// The one header that includes xtensor, which only users of the library see. Its own warnings are not ours to fix.
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#if !defined(__clang__)  // GCC's own vector intrinsics, and loops it unrolls, cause these when inlined
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Warray-bounds"
#pragma GCC diagnostic ignored "-Waggressive-loop-optimizations"
#endif
#endif
#if !__has_include(<xtensor/xtensor.hpp>) && !__has_include(<xtensor/containers/xtensor.hpp>)
#error "softscore/core/xtensor.hpp needs xtensor: link softscore::io (find_package(softscore COMPONENTS io))"
#endif
#if __has_include(<xtensor/xtensor.hpp>)
#include <xtensor/xadapt.hpp>
#include <xtensor/xtensor.hpp>
#else
#include <xtensor/containers/xadapt.hpp>
#include <xtensor/containers/xtensor.hpp>
#endif
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

#include <softscore/core/checked_size.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/shape.hpp>
#include <softscore/core/view.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// A tensor of rank four with the same memory order as a view, for any XTENSOR_DEFAULT_LAYOUT: images x channels x
/// height x width, the last index fastest.
template <class T>
using row_major_tensor = xt::xtensor<T, 4, xt::layout_type::row_major>;

/// Images that own their memory, as readers and samplers return them: images x channels x height x width.
using image_batch = row_major_tensor<float>;

/// Returns an uninitialized tensor of that extent. Throws `error` if the extent has more bytes than an object may have,
/// or if there is not enough memory.
template <class T = float>
row_major_tensor<T> make_tensor(const shape& extent) {
  return with_memory("a tensor", bytes_of<T>(extent), [&] {
    return row_major_tensor<T>(
        typename row_major_tensor<T>::shape_type{extent.images, extent.channels, extent.height, extent.width});
  });
}

/// Returns the extent of a tensor of rank four.
template <class T, xt::layout_type Layout>
shape extent_of(const xt::xtensor<T, 4, Layout>& tensor) {
  return {tensor.shape(0), tensor.shape(1), tensor.shape(2), tensor.shape(3)};
}

namespace detail {

template <xt::layout_type Layout>
constexpr void require_row_major() {
  static_assert(Layout == xt::layout_type::row_major,
                "softscore: a view needs a row-major tensor; assign this one to a row_major_tensor first");
}

}  // namespace detail

/// Returns a view of a row-major tensor's elements. The tensor must outlive it.
template <class T, xt::layout_type Layout>
view<T, host_space> as_view(xt::xtensor<T, 4, Layout>& tensor) {
  detail::require_row_major<Layout>();
  return {tensor.data(), extent_of(tensor)};
}
template <class T, xt::layout_type Layout>
view<const T, host_space> as_view(const xt::xtensor<T, 4, Layout>& tensor) {
  detail::require_row_major<Layout>();
  return {tensor.data(), extent_of(tensor)};
}
template <class T, xt::layout_type Layout>
void as_view(const xt::xtensor<T, 4, Layout>&&) = delete;

/// Returns a host view as an xtensor expression of rank four that refers to the same elements: reads, writes and every
/// xtensor function work on it.
template <class T, class Space>
  requires(Space::host)
auto as_xtensor(view<T, Space> v) {
  const shape& s = v.extent();
  T* const first = v.image(0).data();
  return xt::adapt<xt::layout_type::row_major>(first, s.size(), xt::no_ownership(),
                                               std::array<std::size_t, 4>{s.images, s.channels, s.height, s.width});
}

/// Returns a copy of a host view that owns its elements.
template <class T, class Space>
  requires(Space::host)
auto to_xtensor(view<T, Space> v) {
  auto copy = make_tensor<std::remove_const_t<T>>(v.extent());
  for (std::size_t i = 0; i < v.size(); ++i) copy.data()[i] = v[i];
  return copy;
}

}  // namespace softscore::inline SOFTSCORE_ABI
