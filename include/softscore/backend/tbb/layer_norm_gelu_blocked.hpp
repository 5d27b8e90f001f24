#pragma once

#include <cstddef>

#include <softscore/backend/serial/layer_norm_gelu.hpp>
#include <softscore/backend/tbb/gelu_simd.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// The serial kernels of layer norm and GELU for one image whose channels are in blocks of W: (C/W, H, W', W). Gain and
// bias have that order too. Sums run in float over one block of a few hundred pixels and in double over blocks.
template <std::size_t W>
struct blocked_layer_norm_gelu {
  // The sum over an image of body(address of a vector), which returns a vector.
  template <class Body>
  static double sum(const shape& s, const Body& body) {
    double total = 0;
    for (std::size_t block = 0; block < s.channels / W; ++block) {
      simd<W> part[4] = {};  // so that the additions do not wait for each other
      const std::size_t first = block * s.plane(), last = first + s.plane();
      std::size_t i = first;
      for (; i + 4 <= last; i += 4) unrolled<4>([&](auto k) SOFTSCORE_INLINE_LAMBDA { part[k] += body((i + k) * W); });
      for (; i < last; ++i) part[0] += body(i * W);
      total += static_cast<double>(sum_of_lanes<W>((part[0] + part[1]) + (part[2] + part[3])));
    }
    return total;
  }

  static moments<float> moments_of(const shape& s, const float* x) {
    const double size = static_cast<double>(s.per_image());
    const double mean = sum(s, [x](std::size_t i) SOFTSCORE_INLINE_LAMBDA { return load<W>(x + i); }) / size;
    const float center = static_cast<float>(mean);
    const double squares = sum(s, [x, center](std::size_t i) SOFTSCORE_INLINE_LAMBDA {
      const simd<W> centered = load<W>(x + i) - center;
      return centered * centered;
    });
    return {center, static_cast<float>(1 / std::sqrt(squares / size + layer_norm_epsilon))};
  }

  // y = GELU(gain * u + bias) + shift, u = (x - mean) * scale; shift holds one number per channel or is null.
  static void forward(const shape& s, moments<float> of_x, const float* x, const float* gain, const float* bias,
                      const float* shift, float* y) {
    for (std::size_t block = 0, i = 0; block < s.channels / W; ++block) {
      const simd<W> added = shift == nullptr ? simd<W>{} : load<W>(shift + block * W);
      for (std::size_t p = 0; p < s.plane(); ++p, i += W) {
        const simd<W> u = (load<W>(x + i) - of_x.mean) * of_x.scale;
        store(y + i, gelu_value<W>(u * load<W>(gain + i) + load<W>(bias + i)) + added);
      }
    }
  }

  // How far ahead x and dy are prefetched, in vectors: two streams with four arrays between them are more than the
  // hardware prefetcher handles.
  static constexpr std::size_t ahead = 64;

  // Sets dx (which may be dy); adds to dgain and dbias and sets dshift unless they are null. With z = gain u + bias and
  // du = gain dz: dx = scale (du - mean(du) - u mean(du u)).
  static void backward(const shape& s, moments<float> of_x, const float* x, const float* gain, const float* bias,
                       const float* dy, float* dx, float* dgain, float* dbias, float* dshift) {
    double sum_du = 0, sum_du_u = 0;
    for (std::size_t block = 0, i = 0; block < s.channels / W; ++block) {
      simd<W> of_du{}, of_du_u{}, of_dy{};
      for (std::size_t p = 0; p < s.plane(); ++p, i += W) {
        const simd<W> u = (load<W>(x + i) - of_x.mean) * of_x.scale, g = load<W>(gain + i), d = load<W>(dy + i);
        __builtin_prefetch(x + i + ahead * W, 0, 2);
        __builtin_prefetch(dy + i + ahead * W, 0, 2);
        const simd<W> dz = d * gelu_slope<W>(u * g + load<W>(bias + i));
        if (dgain != nullptr) {
          store(dgain + i, load<W>(dgain + i) + dz * u);
          store(dbias + i, load<W>(dbias + i) + dz);
        }
        const simd<W> du = g * dz;
        of_dy += d;
        of_du += du;
        of_du_u += du * u;
        store(dx + i, du);
      }
      if (dshift != nullptr) store(dshift + block * W, of_dy);
      sum_du += static_cast<double>(sum_of_lanes<W>(of_du));
      sum_du_u += static_cast<double>(sum_of_lanes<W>(of_du_u));
    }
    const float mean_du = static_cast<float>(sum_du / static_cast<double>(s.per_image()));
    const float mean_du_u = static_cast<float>(sum_du_u / static_cast<double>(s.per_image()));
    for (std::size_t i = 0; i < s.per_image(); i += W) {
      const simd<W> u = (load<W>(x + i) - of_x.mean) * of_x.scale;
      store(dx + i, (load<W>(dx + i) - mean_du - u * mean_du_u) * of_x.scale);
    }
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
