#pragma once

#include <cstddef>
#include <cstdint>

#include <softscore/backend/bodies.hpp>
#include <softscore/backend/cuda/sums_of_parts.hpp>
#include <softscore/backend/serial/layer_norm_gelu.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// dz = dy GELU'(z), and for every part of an image the sums of du = gain dz, the gradient with respect to u, and of du
// u. dz is stored in dx, where the next kernel reads it: writing 4 bytes costs less than computing erf and exp again,
// some 45 instructions and far more in double. dx may be dy, since only this thread reads the element.
template <class T>
struct layer_norm_gelu_derivative_task {
  static constexpr std::uint32_t each = 16 / sizeof(T), threads = sum_threads;
  const T* x;
  const T* gain;
  const T* bias;
  const T* dy;
  const moments<T>* of_images;
  T* dx;
  double* of_parts;
  std::size_t images, size;

  grid launch() const { return {images * sum_parts(size), threads, 2 * threads * sizeof(double)}; }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    double* sums = group.template shared<double>();
    const image_part at{group.block(), size, sum_part};
    group.each_thread([&](std::size_t thread) {
      const auto t = static_cast<std::uint32_t>(thread);
      const moments<T> of = of_images[at.image];
      const T* xs = x + at.image * size + at.first + t;
      const T* dys = dy + at.image * size + at.first + t;
      T* dxs = dx + at.image * size + at.first + t;
      const T* gains = gain + at.first + t;
      const T* biases = bias + at.first + t;
      double sum = 0, product = 0;
      for (std::uint32_t i = t; i < at.count; i += each * threads) {
        T in[each], g[each], b[each], d[each];
        SOFTSCORE_UNROLL
        for (std::uint32_t k = 0; k < each; ++k) {
          const bool inside = i + k * threads < at.count;
          in[k] = inside ? xs[k * threads] : T{};
          g[k] = inside ? gains[k * threads] : T{};
          b[k] = inside ? biases[k * threads] : T{};
          d[k] = inside ? dys[k * threads] : T{};
        }
        SOFTSCORE_UNROLL
        for (std::uint32_t k = 0; k < each; ++k) {
          const T u = (in[k] - of.mean) * of.scale;
          const T dz = d[k] * gelu::derivative(g[k] * u + b[k]);
          const auto du = static_cast<double>(g[k] * dz);  // 0 for what is missing
          sum += du;
          product += du * static_cast<double>(u);
          if (i + k * threads < at.count) dxs[k * threads] = dz;
        }
        xs += each * threads, gains += each * threads, biases += each * threads;
        dys += each * threads, dxs += each * threads;
      }
      sums[2 * t] = sum;
      sums[2 * t + 1] = product;
    });
    add_up_pairs(group, sums, of_parts + 2 * group.block());
  }
};

// dx from the dz stored there, a thread per element and chunk of images, and the chunk's share of the gradients of gain
// and bias. First the block adds the parts of its images.
template <class T>
struct layer_norm_gelu_backward_task {
  static constexpr std::uint32_t chunk = 16, each = 4, threads = sum_threads;
  struct alignas(16) image_numbers {
    T mean, scale, mean_du, mean_du_u;
  };
  const T* x;
  const T* gain;
  const moments<T>* of_images;
  const double* of_parts;
  T* dx;
  T* shares;  // chunks x 2 x size, the gain's before the bias'; null if not wanted
  std::size_t images, size;

  grid launch() const {
    return {ceiling(images, chunk) * ceiling(size, threads), threads,
            2 * threads * sizeof(double) + chunk * sizeof(image_numbers)};
  }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    double* sums = group.template shared<double>();  // [sixteen shares][image][2]
    auto* of_chunk = reinterpret_cast<image_numbers*>(sums + 2 * threads);
    const image_part at{group.block(), size, threads};  // of an "image" that is a chunk
    const std::size_t first = at.image * chunk;
    const auto count = static_cast<std::uint32_t>(images - first < chunk ? images - first : chunk);
    group.each_thread([&](std::size_t t) {
      const std::size_t n = t % chunk, share = t / chunk;
      const moments<T> of = t < count ? of_images[first + t] : moments<T>{};
      sums[2 * t] = sums[2 * t + 1] = 0;
      if (n < count) add_parts(of_parts + (first + n) * 2 * sum_parts(size), size, share, sums + 2 * t);
      if (t < chunk) of_chunk[t] = {of.mean, of.scale, T{}, T{}};
    });
    group.each_thread([&](std::size_t t) {
      if (t >= 2 * chunk) return;
      image_numbers& of = of_chunk[t / 2];
      (t % 2 == 0 ? of.mean_du : of.mean_du_u) =
          static_cast<T>(add_sixteen(sums + t, 2 * chunk) / static_cast<double>(size));
    });
    group.each_thread([&](std::size_t t) {
      if (t < at.count) gradients_of(at.image, count, of_chunk, at.first + t);
    });
  }

 private:
  SOFTSCORE_HD void gradients_of(std::size_t which, std::uint32_t count, const image_numbers* of_chunk,
                                 std::size_t i) const {
    const T g = gain[i];
    const T* xs = x + which * chunk * size + i;
    T* dxs = dx + which * chunk * size + i;
    T of_gain{}, of_bias{};
    for (std::uint32_t n = 0; n < count; n += each) {
      T in[each], dz[each];
      T* next = dxs;
      SOFTSCORE_UNROLL
      for (std::uint32_t k = 0; k < each; ++k, xs += size, next += size) {
        in[k] = n + k < count ? *xs : T{};
        dz[k] = n + k < count ? *next : T{};
      }
      SOFTSCORE_UNROLL
      for (std::uint32_t k = 0; k < each; ++k, dxs += size) {
        const image_numbers of = of_chunk[n + k];  // zeros for what is missing
        const T u = (in[k] - of.mean) * of.scale;
        of_gain += dz[k] * u;
        of_bias += dz[k];
        if (n + k < count) *dxs = of.scale * (g * dz[k] - of.mean_du - u * of.mean_du_u);
      }
    }
    if (shares == nullptr) return;
    shares[2 * which * size + i] = of_gain;
    shares[(2 * which + 1) * size + i] = of_bias;
  }
};

// The sums of the shares, in the order of the chunks, a thread for each element of gain and each of bias.
template <class T>
struct layer_norm_gelu_shares_task {
  static constexpr std::size_t threads = 128, each = 8;
  const T* shares;
  T* dgain;
  T* dbias;
  std::size_t chunks, size;
  grid launch() const { return {ceiling(2 * size, threads), threads, 0}; }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    each_element(group, 2 * size, [&](std::size_t i) {
      T sum{};
      for (std::size_t first = 0; first < chunks; first += each) {
        T values[each];
        SOFTSCORE_UNROLL
        for (std::size_t k = 0; k < each; ++k)
          values[k] = first + k < chunks ? shares[2 * (first + k) * size + i] : T{};
        SOFTSCORE_UNROLL
        for (std::size_t k = 0; k < each; ++k) sum += values[k];
      }
      if (i < size)
        dgain[i] = sum;
      else
        dbias[i - size] = sum;
    });
  }
};

// dshift (rows = N C) from dy, a block per row: a sum over a plane.
template <class T>
struct plane_sums_task {
  static constexpr std::uint32_t threads = 128, each = 8, lanes = threads / sum_lanes;
  const T* in;
  T* out;
  std::size_t planes, plane;
  grid launch() const { return {planes, threads, threads * sizeof(double)}; }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    double* sums = group.template shared<double>();
    group.each_thread([&](std::size_t thread) {
      const auto t = static_cast<std::uint32_t>(thread), count = static_cast<std::uint32_t>(plane);
      const T* from = in + group.block() * plane;
      double sum = 0;
      for (std::uint32_t first = t; first < count; first += each * threads) {
        T values[each];
        SOFTSCORE_UNROLL
        for (std::uint32_t k = 0; k < each; ++k)
          values[k] = count - first > k * threads ? (from + first)[k * threads] : T{};
        SOFTSCORE_UNROLL
        for (std::uint32_t k = 0; k < each; ++k) sum += static_cast<double>(values[k]);
      }
      sums[t] = sum;
    });
    group.each_thread([&](std::size_t t) {
      if (t < lanes) sums[t] = add_sixteen(sums + t, lanes);
    });
    group.each_thread([&](std::size_t t) {
      if (t != 0) return;
      double sum = sums[0];
      SOFTSCORE_UNROLL
      for (std::uint32_t k = 1; k < lanes; ++k) sum += sums[k];
      out[group.block()] = static_cast<T>(sum);
    });
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
