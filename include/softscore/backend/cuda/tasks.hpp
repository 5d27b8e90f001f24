#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include <softscore/backend/concept.hpp>
#include <softscore/backend/cuda/group.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// The verbs as kernels. A task is a plain value of addresses and sizes that names its grid. It is called once per block
// with the group of its threads and the address of its arguments, which may differ from step to step while the task
// stays the same. Two tasks are the same if their bytes are.

/// The number of blocks and threads of a task, and the shared memory of a block.
struct grid {
  std::size_t blocks{}, threads{256}, shared_bytes{};
};

inline constexpr std::size_t argument_alignment = 16;
SOFTSCORE_HD constexpr std::size_t aligned(std::size_t bytes) {
  return (bytes + argument_alignment - 1) / argument_alignment * argument_alignment;
}
SOFTSCORE_HD constexpr std::size_t ceiling(std::size_t a, std::size_t b) { return (a + b - 1) / b; }
// For indices within a block: dividing and multiplying 64-bit numbers takes a GPU many instructions.
SOFTSCORE_HD constexpr std::uint32_t narrow(std::size_t n) { return static_cast<std::uint32_t>(n); }

// One thread per element of a flat array, `block()` blocks of them.
inline constexpr std::size_t flat_threads = 256;
inline grid flat_grid(std::size_t elements) { return {ceiling(elements, flat_threads), flat_threads, 0}; }
template <class Group, class F>
SOFTSCORE_HD void each_element(Group& group, std::size_t elements, const F& f) {
  group.each_thread([&](std::size_t t) {
    const std::size_t i = group.block() * group.threads() + t;
    if (i < elements) f(i);
  });
}

// The same for batches: a block processes one image, so that the image's number costs one division per block.
inline grid image_grid(std::size_t images, std::size_t per_image) {
  return {images * ceiling(per_image, flat_threads), flat_threads, 0};
}
template <class Group, class F>
SOFTSCORE_HD void each_element_of_images(Group& group, std::size_t per_image, const F& f) {
  const std::size_t parts = ceiling(per_image, flat_threads);
  const std::size_t image = group.block() / parts, part = group.block() % parts;
  group.each_thread([&](std::size_t t) {
    const std::size_t i = part * flat_threads + t;
    if (i < per_image) f(image, i);
  });
}

template <class T>
struct zero_task {
  T* out;
  std::size_t size;
  grid launch() const { return flat_grid(size); }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    each_element(group, size, [&](std::size_t i) { out[i] = T{}; });
  }
};

// Kernel arguments: the elements.
template <class T>
struct upload_task {
  T* out;
  std::size_t size;
  grid launch() const { return flat_grid(size); }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte* arguments) const {
    const T* from = reinterpret_cast<const T*>(arguments);
    each_element(group, size, [&](std::size_t i) { out[i] = from[i]; });
  }
};

struct normal_arguments {
  noise_key key;
  std::uint64_t first;
};
template <class T>
struct normal_task {
  T* out;
  std::size_t images, per_image;
  grid launch() const { return image_grid(images, ceiling(per_image, 4)); }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte* arguments) const {
    const normal_arguments of = *reinterpret_cast<const normal_arguments*>(arguments);
    each_element_of_images(group, ceiling(per_image, 4), [&](std::size_t image, std::size_t four) {
      const auto z = normals(of.key, of.first + image, static_cast<std::uint32_t>(four));
      T* to = out + image * per_image;
      SOFTSCORE_UNROLL
      for (std::size_t k = 0; k < 4; ++k)
        if (4 * four + k < per_image) to[4 * four + k] = static_cast<T>(z[k]);
    });
  }
};

// Kernel arguments: for every term its coefficient of every image, or one for all.
template <class T, std::size_t Terms>
struct combine_task {
  T* out;
  std::array<const T*, Terms> in;
  std::array<std::size_t, Terms> first;  // where a term's coefficients begin
  std::array<std::size_t, Terms> each;   // 1 for a coefficient per image, 0 for one for all
  std::size_t images, per_image;
  grid launch() const { return image_grid(images, per_image); }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte* arguments) const {
    const T* coefficients = reinterpret_cast<const T*>(arguments);
    each_element_of_images(group, per_image, [&](std::size_t image, std::size_t i) {
      const std::size_t at = image * per_image + i;
      T sum = coefficients[first[0] + each[0] * image] * in[0][at];
      SOFTSCORE_UNROLL
      for (std::size_t k = 1; k < Terms; ++k) sum += coefficients[first[k] + each[k] * image] * in[k][at];
      out[at] = sum;
    });
  }
};

// Kernel arguments: the body.
template <class Body, class... T>
struct for_each_task {
  std::array<const void*, sizeof...(T)> addresses;
  std::size_t size;
  grid launch() const { return flat_grid(size); }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte* arguments) const {
    run(group, arguments, std::index_sequence_for<T...>{});
  }

 private:
  template <class Group, std::size_t... K>
  SOFTSCORE_HD void run(Group& group, const std::byte* arguments, std::index_sequence<K...>) const {
    Body body = *reinterpret_cast<const Body*>(arguments);
    each_element(group, size, [&](std::size_t i) { body(static_cast<T*>(const_cast<void*>(addresses[K]))[i]...); });
  }
};

// Kernel arguments: the body, then the level of every image or one for all.
template <class Body, class T, std::size_t Tables>
struct each_pixel_task {
  const T* in;
  T* out;
  std::array<const double*, Tables + 1> tables;  // one more, since there may be none
  shape extent;
  std::size_t each;  // 1 for a level per image, 0 for one for all
  grid launch() const { return image_grid(extent.images, extent.per_image()); }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte* arguments) const {
    run(group, arguments, std::make_index_sequence<Tables>{});
  }

 private:
  template <class Group, std::size_t... K>
  SOFTSCORE_HD void run(Group& group, const std::byte* arguments, std::index_sequence<K...>) const {
    Body body = *reinterpret_cast<const Body*>(arguments);
    const level* levels = reinterpret_cast<const level*>(arguments + aligned(sizeof(Body)));
    const std::size_t elements = extent.per_image(), plane = extent.plane();
    each_element_of_images(group, elements, [&](std::size_t image, std::size_t i) {
      const std::size_t channel = i / plane, row = (i % plane) / extent.width, column = i % extent.width;
      out[image * elements + i] =
          body(levels[each * image], extent, pixel{channel, row, column}, image, in + image * elements, tables[K]...);
    });
  }
};

// One block per image, which adds in double.
template <class A, class B>
struct dot_task {
  const A* a;
  const B* b;
  double* out;
  std::size_t images, per_image;
  grid launch() const { return {images, flat_threads, flat_threads * sizeof(double)}; }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    double* sums = group.template shared<double>();
    const A* p = a + group.block() * per_image;
    const B* q = b + group.block() * per_image;
    group.each_thread([&](std::size_t t) {
      double sum = 0;
      for (std::size_t i = t; i < per_image; i += group.threads())
        sum += static_cast<double>(p[i]) * static_cast<double>(q[i]);
      sums[t] = sum;
    });
    add_up(group, sums);
    group.each_thread([&](std::size_t t) {
      if (t == 0) out[group.block()] = sums[0];
    });
  }
};

// The sums of squares of the parts of an array, in double: a block per part, the last one shorter.
template <class T>
struct squares_task {
  static constexpr std::uint32_t each = 16, part = each * static_cast<std::uint32_t>(flat_threads);
  const T* in;
  double* out;
  std::size_t size;
  static std::size_t parts(std::size_t size) { return ceiling(size, part); }
  grid launch() const { return {parts(size), flat_threads, flat_threads * sizeof(double)}; }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    double* sums = group.template shared<double>();
    const std::size_t first = group.block() * part;
    const std::uint32_t here = size - first < part ? narrow(size - first) : part;
    group.each_thread([&](std::size_t t) {
      T values[each];  // all loaded before the first is needed
      SOFTSCORE_UNROLL
      for (std::uint32_t k = 0; k < each; ++k) {
        const std::uint32_t i = narrow(t) + k * narrow(flat_threads);
        values[k] = i < here ? in[first + i] : T{};
      }
      double sum = 0;
      SOFTSCORE_UNROLL
      for (std::uint32_t k = 0; k < each; ++k) sum += static_cast<double>(values[k]) * static_cast<double>(values[k]);
      sums[t] = sum;
    });
    add_up(group, sums);
    group.each_thread([&](std::size_t t) {
      if (t == 0) out[group.block()] = sums[0];
    });
  }
};

// Computes, from the sums of squares of the parts of an array, its norm and the factor that reduces it to at most
// `most`. The norm is also stored in memory that the host may read. Kernel arguments: `most`.
struct measured {
  double norm, factor;
};
struct norm_task {
  const double* sums;
  measured* result;
  double* norm_on_host;
  std::size_t count;
  grid launch() const { return {1, flat_threads, flat_threads * sizeof(double)}; }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte* arguments) const {
    double* parts = group.template shared<double>();
    group.each_thread([&](std::size_t t) {
      double sum = 0;
      for (std::size_t i = t; i < count; i += group.threads()) sum += sums[i];
      parts[t] = sum;
    });
    add_up(group, parts);
    group.each_thread([&](std::size_t t) {
      if (t != 0) return;
      const double most = *reinterpret_cast<const double*>(arguments);
      const double norm = std::sqrt(parts[0]), ratio = most / (norm + 1e-6);
      *result = {norm, ratio < 1 ? ratio : 1};
      *norm_on_host = norm;
    });
  }
};

// Kernel arguments: the body, which takes the factor that was measured.
template <class Body, class... T>
struct for_each_clipped_task {
  std::array<const void*, sizeof...(T)> addresses;
  std::size_t size;
  const measured* of;
  grid launch() const { return flat_grid(size); }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte* arguments) const {
    run(group, arguments, std::index_sequence_for<T...>{});
  }

 private:
  template <class Group, std::size_t... K>
  SOFTSCORE_HD void run(Group& group, const std::byte* arguments, std::index_sequence<K...>) const {
    const measured now = *of;
    if (!(now.norm <= 1.7976931348623157e308)) return;  // infinite, or NaN
    const Body body = reinterpret_cast<const Body*>(arguments)->clipped(now.factor);
    each_element(group, size, [&](std::size_t i) { body(static_cast<T*>(const_cast<void*>(addresses[K]))[i]...); });
  }
};

// Element bodies of the backend itself.
template <class To>
struct convert_body {
  template <class From>
  SOFTSCORE_HD void operator()(To& to, const From& from) const {
    to = static_cast<To>(from);
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
