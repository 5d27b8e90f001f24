#pragma once

#include <array>
#include <cstddef>
#include <type_traits>

// xtensor is the user's side of the library; no other header includes it. Its own warnings are not ours to fix.
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#if !defined(__clang__)  // GCC's own vector intrinsics, and loops it unrolls, set these off when inlined
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Warray-bounds"
#pragma GCC diagnostic ignored "-Waggressive-loop-optimizations"
#endif
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

/// Images that own their memory, as readers and samplers hand them out: images x channels x height x width.
using image_batch = xt::xtensor<float, 4>;

/// Elements of one tensor of that extent, not initialised. Throws `error` for an extent of more bytes than there can
/// be, and where there is no memory for them.
template <class T = float>
xt::xtensor<T, 4> make_tensor(const shape& extent) {
  return with_memory("a tensor", bytes_of<T>(extent), [&] {
    return xt::xtensor<T, 4>(
        typename xt::xtensor<T, 4>::shape_type{extent.images, extent.channels, extent.height, extent.width});
  });
}

/// The extent of a tensor of rank four.
template <class T>
shape extent_of(const xt::xtensor<T, 4>& tensor) {
  return {tensor.shape(0), tensor.shape(1), tensor.shape(2), tensor.shape(3)};
}

/// A view of a tensor's elements. The tensor must outlive it.
template <class T>
view<T, host_space> as_view(xt::xtensor<T, 4>& tensor) {
  return {tensor.data(), extent_of(tensor)};
}
template <class T>
view<const T, host_space> as_view(const xt::xtensor<T, 4>& tensor) {
  return {tensor.data(), extent_of(tensor)};
}
template <class T>
void as_view(const xt::xtensor<T, 4>&&) = delete;

/// A host view as an xtensor expression of rank four that refers to the same elements: reads, writes and every
/// xtensor function work on it.
template <class T, class Space>
  requires(Space::host)
auto as_xtensor(view<T, Space> v) {
  const shape& s = v.extent();
  T* const first = v.image(0).data();
  return xt::adapt(first, s.size(), xt::no_ownership(),
                   std::array<std::size_t, 4>{s.images, s.channels, s.height, s.width});
}

/// A copy of a host view that owns its elements.
template <class T, class Space>
  requires(Space::host)
auto to_xtensor(view<T, Space> v) {
  auto copy = make_tensor<std::remove_const_t<T>>(v.extent());
  for (std::size_t i = 0; i < v.size(); ++i) copy.data()[i] = v[i];
  return copy;
}

}  // namespace softscore::inline SOFTSCORE_ABI
