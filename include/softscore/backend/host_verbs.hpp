#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <type_traits>
#include <vector>

#include <softscore/backend/concept.hpp>
#include <softscore/backend/run_tasks.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/host_array.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The backend's verbs for arrays in host memory, built on one primitive of `Derived`: `parallel(count, body)`. Each
/// image, or each fixed block of elements, is one task, and nothing is summed across tasks, so the bits do not depend
/// on how tasks are distributed over threads.
template <class Derived>
class host_verbs {
 public:
  using space = host_space;

  // Written out, because GCC 12 forgets to instantiate the initializer of a backend inside another one.
  host_verbs() : pool_{std::make_shared<memory_pool>()} {}

  template <Scalar T>
  host_array<T> make(shape extent) const {
    return host_array<T>{extent, pool_};
  }

  template <Scalar T>
  void upload(const T* host, view<T, host_space> device) {
    std::copy_n(host, device.size(), raw(device));
  }

  template <class T>
  void download(view<T, host_space> device, std::remove_const_t<T>* host) {
    std::copy_n(raw(device), device.size(), host);
  }

  template <Scalar T>
  void normal(noise_key key, image_range images, view<T, host_space> out) {
    const std::size_t elements = out.extent().per_image();
    share(images.count, 8 * elements, [&](std::size_t image) {
      T* z = raw(out) + image * elements;
      for (std::size_t i = 0; i < elements; i += 4) {
        const auto four = normals(key, images.first + image, static_cast<std::uint32_t>(i / 4));
        for (std::size_t k = 0; k < 4 && i + k < elements; ++k) z[i + k] = static_cast<T>(four[k]);
      }
    });
  }

  template <Scalar T, class... Terms>
  void combine(view<T, host_space> out, const Terms&... terms) {
    const std::size_t elements = out.extent().per_image();
    share(out.extent().images, elements, [&](std::size_t image) {
      combine_image(raw(out) + image * elements, elements, static_cast<T>(terms.coefficient[image])...,
                    (raw(terms.array) + image * elements)...);
    });
  }

  template <class Body, class First, class... Rest>
  void for_each(Body body, First first, Rest... rest) {
    const std::size_t size = first.size(), blocks = (size + block - 1) / block;
    share(blocks, blocks > 0 ? size / blocks : 0, [&](std::size_t b) {
      for_each_in(body, b * block, (std::min)(size, (b + 1) * block), raw(first), raw(rest)...);
    });
  }

  template <class Body, Scalar T, class... Tables>
  void each_pixel(Body body, per_image<level> levels, const_view<T, host_space> in, view<T, host_space> out,
                  Tables... tables) {
    const shape extent = out.extent();
    share(extent.images, 8 * extent.per_image(), [&](std::size_t image) {
      const T* source = raw(in) + image * extent.per_image();
      T* target = raw(out) + image * extent.per_image();
      const level at = levels[image];
      for (std::size_t c = 0; c < extent.channels; ++c)
        for (std::size_t y = 0; y < extent.height; ++y)
          for (std::size_t x = 0; x < extent.width; ++x)
            *target++ = body(at, extent, pixel{c, y, x}, image, source, raw(tables)...);
    });
  }

  view<const double, host_space> constant(const std::shared_ptr<const std::vector<double>>& table) const {
    return {table->data(), shape{.images = 1, .width = table->size()}};
  }

  template <class T>
  void dot(view<T, host_space> a, view<T, host_space> b, double* host) {
    const std::size_t elements = a.extent().per_image();
    share(a.extent().images, elements, [&](std::size_t image) {
      const auto* p = raw(a) + image * elements;
      const auto* q = raw(b) + image * elements;
      // Eight running sums, so that the additions do not wait for each other; the order depends only on the length.
      double sum[8] = {};
      const std::size_t rest = elements % 8, whole = elements - rest;
      for (std::size_t i = 0; i < whole; i += 8)
        for (std::size_t k = 0; k < 8; ++k) sum[k] += static_cast<double>(p[i + k]) * static_cast<double>(q[i + k]);
      for (std::size_t k = 0; k < rest; ++k)
        sum[k] += static_cast<double>(p[whole + k]) * static_cast<double>(q[whole + k]);
      host[image] = ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
    });
  }

  template <class From, class To>
  void convert(view<From, host_space> from, view<To, host_space> to) {
    for_each([](To& t, const auto& f) { t = static_cast<To>(f); }, to, from);
  }

 protected:
  /// Runs `count` tasks, on the caller's thread alone if waking another would take longer than all of them. `work` is
  /// the work of one task, in elements added.
  template <class Body>
  void share(std::size_t count, std::size_t work, const Body& body) {
    constexpr std::size_t least = 16384;
    if (count * work < least)
      detail::run_tasks(body, 0, count);
    else
      self().parallel(count, body);
  }

 private:
  std::shared_ptr<memory_pool> pool_;

  static constexpr std::size_t block = 8192;  // elements of one task: enough work to outweigh the cost of scheduling it

  Derived& self() { return static_cast<Derived&>(*this); }

  template <class T>
  static void combine_image(T* out, std::size_t n, T a, const T* x) {
    for (std::size_t i = 0; i < n; ++i) out[i] = a * x[i];
  }
  template <class T>
  static void combine_image(T* out, std::size_t n, T a, T b, const T* x, const T* y) {
    for (std::size_t i = 0; i < n; ++i) out[i] = a * x[i] + b * y[i];
  }
  template <class T>
  static void combine_image(T* out, std::size_t n, T a, T b, T c, const T* x, const T* y, const T* z) {
    for (std::size_t i = 0; i < n; ++i) out[i] = a * x[i] + b * y[i] + c * z[i];
  }
  template <class T>
  static void combine_image(T* out, std::size_t n, T a, T b, T c, T d, const T* x, const T* y, const T* z, const T* w) {
    for (std::size_t i = 0; i < n; ++i) out[i] = a * x[i] + b * y[i] + c * z[i] + d * w[i];
  }

  template <class Body, class... Pointers>
  static void for_each_in(Body& body, std::size_t from, std::size_t to, Pointers... pointers) {
    for (std::size_t i = from; i < to; ++i) body(pointers[i]...);
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI
