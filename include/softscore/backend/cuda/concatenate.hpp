#pragma once

#include <cstddef>

#include <softscore/backend/cuda/device_backend.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

// Copies `count` contiguous elements of every image.
template <class T>
struct copy_part_task {
  const T* from;
  T* to;
  std::size_t images, count, from_step, to_step;  // steps from image to image
  grid launch() const { return image_grid(images, count); }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    each_element_of_images(
        group, count, [&](std::size_t image, std::size_t i) { to[image * to_step + i] = from[image * from_step + i]; });
  }
};

}  // namespace detail

/// Sets out (N,A+B,H,W) to the channels of a (N,A,H,W), then those of b (N,B,H,W).
template <class Device, class T>
void concatenate(device_backend<Device>& be, const_view<T, cuda_space> a, const_view<T, cuda_space> b,
                 view<T, cuda_space> out) {
  const std::size_t images = out.extent().images, of_a = a.extent().per_image(), of_b = b.extent().per_image();
  be.note(detail::copy_part_task<T>{raw(a), raw(out), images, of_a, of_a, of_a + of_b});
  be.note(detail::copy_part_task<T>{raw(b), raw(out) + of_a, images, of_b, of_b, of_a + of_b});
}

/// The inverse: copies the first channels of `from` (N,A+B,H,W) into a (N,A,H,W), and the others into b (N,B,H,W).
/// Either may be empty and is then skipped.
template <class Device, class T>
void separate(device_backend<Device>& be, const_view<T, cuda_space> from, view<T, cuda_space> a,
              view<T, cuda_space> b) {
  const std::size_t images = from.extent().images, all = from.extent().per_image();
  const std::size_t of_a = a.extent().per_image(), of_b = b.extent().per_image();
  if (!a.empty()) be.note(detail::copy_part_task<T>{raw(from), raw(a), images, of_a, all, of_a});
  if (!b.empty()) be.note(detail::copy_part_task<T>{raw(from) + (all - of_b), raw(b), images, of_b, all, of_b});
}

}  // namespace softscore::inline SOFTSCORE_ABI
