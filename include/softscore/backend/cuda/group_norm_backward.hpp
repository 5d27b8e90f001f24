#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <softscore/backend/activation.hpp>
#include <softscore/backend/cuda/group_norm_forward.hpp>
#include <softscore/backend/cuda/sums.hpp>
#include <softscore/backend/group_norm_parameters.hpp>
#include <softscore/backend/joined_planes.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// Sums over a channel of an image: of dz, of dz times the deviation from the mean, and of the deviation.
struct gradient_sums {
  double dz, dz_deviation, deviation;
};

// The sums over every channel of every image, a block each; dz is stored in dx unless it is dy.
template <class T, class Activation>
struct group_norm_sums_task {
  static constexpr std::uint32_t threads = 64;
  joined_planes<const T> x;
  const T* dy;
  const channel_coefficients<T>* of_channels;
  T* dx;
  gradient_sums* sums_of_channels;
  std::size_t images, channels, plane;

  grid launch() const { return {images * channels, threads, 3 * threads * sizeof(double)}; }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    double* sums = group.template shared<double>();
    const std::size_t first = group.block() * plane;
    const T* const of_x = x.at(group.block() / channels, group.block() % channels);
    group.each_thread([&](std::size_t t) {
      const channel_coefficients<T> of = of_channels[group.block()];
      gradient_sums sum{};
      for (std::uint32_t p = narrow(t); p < plane; p += threads) {
        const T centered = of.centered(of_x[p]);
        T dz = dy[first + p];
        if constexpr (!std::is_same_v<Activation, no_activation>) {
          dz *= Activation::derivative(centered * of.scale + of.offset);
          dx[first + p] = dz;
        }
        sum.dz += static_cast<double>(dz);
        sum.dz_deviation += static_cast<double>(dz) * static_cast<double>(centered);
        sum.deviation += static_cast<double>(centered);
      }
      sums[t] = sum.dz;
      sums[threads + t] = sum.dz_deviation;
      sums[2 * threads + t] = sum.deviation;
    });
    add_up_each<3>(group, sums);
    group.each_thread([&](std::size_t t) {
      if (t == 0) sums_of_channels[group.block()] = {sums[0], sums[threads], sums[2 * threads]};
    });
  }
};

// The coefficients of dx in a channel of an image: dx = (dz slope - constant) - (deviation scale) share.
template <class T>
struct alignas(16) channel_slopes {
  T slope, constant, scale, share;
};

// The means over each group of each image, a block each, and what follows for its channels: the gradients of shift and
// modulation, and the slopes of dx. The sums become the image's shares of the gradients of bias and gain.
template <class T>
struct group_norm_means_task {
  static constexpr std::uint32_t threads = 32;
  group_norm_parameters<T> of;
  const normalizer* of_groups;
  gradient_sums* sums_of_channels;
  channel_slopes<T>* slopes;
  T* dshift;       // null if not wanted
  T* dmodulation;  // null if not wanted
  std::size_t images, groups, plane;

  grid launch() const { return {images * groups, threads, 2 * threads * sizeof(double)}; }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    double* sums = group.template shared<double>();
    const std::size_t n = group.block() / groups, width = of.channels / groups;
    const std::size_t first = group.block() % groups * width;
    const double scale = of_groups[group.block()].scale;
    group.each_thread([&](std::size_t t) {
      double du = 0, du_u = 0;
      for (std::size_t c = first + t; c < first + width; c += threads) {
        const gradient_sums of_channel = sums_of_channels[n * of.channels + c];
        const double slope = of.gain_of(c) * of.factor_of(n, c);
        du += slope * of_channel.dz;
        du_u += slope * of_channel.dz_deviation * scale;
      }
      sums[t] = du;
      sums[threads + t] = du_u;
    });
    add_up_each<2>(group, sums);
    group.each_thread([&](std::size_t t) {
      const double in_plane = static_cast<double>(plane), count = static_cast<double>(width) * in_plane;
      const double mean_du = sums[0] / count, mean_du_u = sums[threads] / count;
      for (std::size_t c = first + t; c < first + width; c += threads) {
        const std::size_t at = n * of.channels + c;
        const gradient_sums by = sums_of_channels[at];
        const double factor = of.factor_of(n, c), slope = of.gain_of(c) * factor, dz_u = by.dz_deviation * scale;
        slopes[at] = {static_cast<T>(scale * slope), static_cast<T>(scale * mean_du), static_cast<T>(scale),
                      static_cast<T>(scale * mean_du_u)};
        if (dshift != nullptr)
          dshift[at] = static_cast<T>(scale * (slope * by.dz - in_plane * mean_du - by.deviation * scale * mean_du_u));
        if (dmodulation != nullptr) {
          T* row = dmodulation + n * 2 * of.channels;
          row[c] = static_cast<T>(of.gain_of(c) * dz_u + of.bias_of(c) * by.dz);
          row[of.channels + c] = static_cast<T>(by.dz);
        }
        sums_of_channels[at] = {factor * by.dz, factor * dz_u, 0};
      }
    });
  }
};

// dx from dz, which may be the same array, plus the addends. A part of dx that is not wanted is null.
template <class T>
struct group_norm_backward_task {
  joined_planes<const T> x;
  const T* dz;
  const channel_coefficients<T>* of_channels;
  const channel_slopes<T>* slopes;
  const T* addend;                  // or null
  joined_planes<const T> addend_2;  // parts may be null
  joined_planes<T> dx;
  std::size_t images, channels, plane;

  grid launch() const { return elements_of_channels::launch(images, channels, plane); }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    elements_of_channels::each_element(group, channels, plane, [&](std::size_t n, std::size_t c, std::size_t p) {
      const channel_slopes<T> by = slopes[n * channels + c];
      const T centered = of_channels[n * channels + c].centered(x.at(n, c)[p]);
      const std::size_t i = (n * channels + c) * plane + p;
      T sum = (dz[i] * by.slope - by.constant) - (centered * by.scale) * by.share;
      if (addend != nullptr) sum += addend[i];
      if (const T* const more = addend_2.at(n, c); more != nullptr) sum += more[p];
      if (T* const to = dx.at(n, c); to != nullptr) to[p] = sum;
    });
  }
};

// The gradients of gain and bias: the sums of their shares over the images, in order.
template <class T>
struct norm_parameters_task {
  const gradient_sums* shares;
  T* dgain;
  T* dbias;
  std::size_t images, channels;

  grid launch() const { return {ceiling(channels, threads), threads, 0}; }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    each_element(group, channels, [&](std::size_t c) {
      double of_gain = 0, of_bias = 0;
      for (std::size_t n = 0; n < images; ++n) {
        of_gain += shares[n * channels + c].dz_deviation;
        of_bias += shares[n * channels + c].dz;
      }
      dgain[c] = static_cast<T>(of_gain);
      dbias[c] = static_cast<T>(of_bias);
    });
  }

 private:
  static constexpr std::size_t threads = 32;  // few channels have enough images to keep more blocks busy
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
