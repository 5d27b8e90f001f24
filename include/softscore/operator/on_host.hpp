#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include <softscore/core/config.hpp>
#include <softscore/operator/concept.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Makes a degradation from a function on one image in host memory. `F` has `static void apply_image(const Op&, level,
/// const shape&, std::span<const T> in, std::span<T> out)` and likewise `transpose_image`; both must be safe to call
/// for several images at once. A `derivative_image` for dC_w/dw is optional. On a device each batch is staged through
/// host memory.
template <class F>
struct on_host {
  template <class Op, class Be, Scalar T>
  static void apply(const Op& op, Be& be, per_image<level> levels, in_of<Be, T> in, out_of<Be, T> out) {
    run<T>(be, in, out, [&](std::size_t i, std::span<const T> x, std::span<T> y) {
      F::apply_image(op, levels[i], in.extent(), x, y);
    });
  }
  template <class Op, class Be, Scalar T>
  static void adjoint(const Op& op, Be& be, per_image<level> levels, in_of<Be, T> in, out_of<Be, T> out) {
    run<T>(be, in, out, [&](std::size_t i, std::span<const T> x, std::span<T> y) {
      F::transpose_image(op, levels[i], in.extent(), x, y);
    });
  }
  template <class Op, class Be, Scalar T>
    requires requires(const Op& op, const shape& s, std::span<const T> x, std::span<T> y) {
      F::derivative_image(op, level{}, s, x, y);
    }
  static void derivative(const Op& op, Be& be, per_image<level> levels, in_of<Be, T> in, out_of<Be, T> out) {
    run<T>(be, in, out, [&](std::size_t i, std::span<const T> x, std::span<T> y) {
      F::derivative_image(op, levels[i], in.extent(), x, y);
    });
  }

 private:
  template <Scalar T, class Be, class Body>
  static void run(Be& be, view_of<Be, const T> in, view_of<Be, T> out, const Body& body) {
    const std::size_t images = in.extent().images, elements = in.extent().per_image();
    if constexpr (HostBackend<Be>) {
      be.parallel(images, [&](std::size_t i) { body(i, in.image(i), out.image(i)); });
    } else {
      std::vector<T> x(in.size()), y(out.size());
      be.download(in, x.data());
      for (std::size_t i = 0; i < images; ++i)
        body(i, std::span<const T>{x}.subspan(i * elements, elements), std::span<T>{y}.subspan(i * elements, elements));
      be.upload(y.data(), out);
    }
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI
