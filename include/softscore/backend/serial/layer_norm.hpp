#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include <softscore/backend/group_norm_parameters.hpp>
#include <softscore/backend/group_norm_shape.hpp>
#include <softscore/backend/serial/backend.hpp>
#include <softscore/core/checked_size.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// What a layer norm keeps from the forward pass for the backward pass: mean and scale of each pixel of each image.
template <class T>
struct serial_layer_norm {
  shape sizes;
  double epsilon;
  std::vector<detail::normalizer> of_pixels;  // (N,H,W)
  std::vector<double> sums;                   // scratch: the gradients of gain and bias
};

/// Plans a layer norm over the channels at each pixel, for at most `sizes.images` images. Throws `error` if a size is
/// 0.
template <class T>
serial_layer_norm<T> make_layer_norm(serial_backend&, const shape& sizes, double epsilon) {
  require(sizes.size() > 0, "the extent of a layer norm", sizes, "at least 1 in every direction");
  detail::require_epsilon(epsilon);
  return {sizes, epsilon, vector_of<detail::normalizer>("moments of a layer norm", {sizes.images, sizes.plane()}),
          vector_of<double>("sums of a layer norm", {2, sizes.channels})};
}

/// Sets y = u gain + bias, where u is x minus its mean over the channels at each pixel, over the root of their biased
/// variance plus epsilon: PyTorch's LayerNorm for tokens. gain and bias are (C) or both empty. y may be x if no
/// backward pass follows. Source: Ba et al. 2016.
template <class T>
void layer_norm_forward(serial_backend&, serial_layer_norm<T>& plan, const_view<T, host_space> x,
                        const_view<T, host_space> gain, const_view<T, host_space> bias, view<T, host_space> y) {
  const shape s = x.extent();
  const detail::group_norm_parameters<T> of{s.channels, {}, gain, bias, {}};
  const double count = static_cast<double>(s.channels);
  for (std::size_t n = 0; n < s.images; ++n)
    for (std::size_t p = 0; p < s.plane(); ++p) {
      const T* from = raw(x) + n * s.per_image() + p;
      T* to = raw(y) + n * s.per_image() + p;
      double sum = 0, squares = 0;
      for (std::size_t c = 0; c < s.channels; ++c) sum += static_cast<double>(from[c * s.plane()]);
      const double mean = sum / count;
      for (std::size_t c = 0; c < s.channels; ++c) {
        const double centered = static_cast<double>(from[c * s.plane()]) - mean;
        squares += centered * centered;
      }
      const auto normalizer = detail::normalizer_of(mean, squares / count, plan.epsilon);
      plan.of_pixels[n * s.plane() + p] = normalizer;
      for (std::size_t c = 0; c < s.channels; ++c) {
        const double u = (static_cast<double>(from[c * s.plane()]) - normalizer.mean) * normalizer.scale;
        to[c * s.plane()] = static_cast<T>(u * of.gain_of(c) + of.bias_of(c));
      }
    }
}

/// The gradients with respect to x, gain and bias, from dy, for the arguments of the last forward pass. They are set,
/// not added to. dgain together with dbias may be empty. dx may be dy.
template <class T>
void layer_norm_backward(serial_backend&, serial_layer_norm<T>& plan, const_view<T, host_space> x,
                         const_view<T, host_space> gain, const_view<T, host_space> bias, const_view<T, host_space> dy,
                         view<T, host_space> dx, view<T, host_space> dgain, view<T, host_space> dbias) {
  const shape s = x.extent();
  const detail::group_norm_parameters<T> of{s.channels, {}, gain, bias, {}};
  std::fill(plan.sums.begin(), plan.sums.end(), 0.0);
  for (std::size_t n = 0; n < s.images; ++n)
    for (std::size_t p = 0; p < s.plane(); ++p) {
      const detail::normalizer normalizer = plan.of_pixels[n * s.plane() + p];
      const auto over_channels = [&](const auto& body) {
        for (std::size_t c = 0; c < s.channels; ++c) {
          const std::size_t i = n * s.per_image() + c * s.plane() + p;
          body(c, i, (static_cast<double>(raw(x)[i]) - normalizer.mean) * normalizer.scale,
               static_cast<double>(raw(dy)[i]));
        }
      };
      double mean_du = 0, mean_du_u = 0;
      over_channels([&](std::size_t c, std::size_t, double u, double d) {
        mean_du += of.gain_of(c) * d / static_cast<double>(s.channels);
        mean_du_u += of.gain_of(c) * d * u / static_cast<double>(s.channels);
        plan.sums[c] += d * u;
        plan.sums[s.channels + c] += d;
      });
      over_channels([&](std::size_t c, std::size_t i, double u, double d) {
        raw(dx)[i] = static_cast<T>(normalizer.scale * (of.gain_of(c) * d - mean_du - u * mean_du_u));
      });
    }
  if (dgain.empty()) return;
  for (std::size_t c = 0; c < s.channels; ++c) {
    raw(dgain)[c] = static_cast<T>(plan.sums[c]);
    raw(dbias)[c] = static_cast<T>(plan.sums[s.channels + c]);
  }
}

}  // namespace softscore::inline SOFTSCORE_ABI
