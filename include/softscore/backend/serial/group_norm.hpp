#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include <softscore/backend/group_norm_parameters.hpp>
#include <softscore/backend/group_norm_shape.hpp>
#include <softscore/backend/joined_planes.hpp>
#include <softscore/backend/joined_view.hpp>
#include <softscore/backend/serial/backend.hpp>
#include <softscore/core/checked_size.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// What a group norm keeps from the forward pass for the backward pass: mean and scale of each group of each image.
template <class T>
struct serial_group_norm {
  group_norm_shape sizes;
  std::vector<detail::normalizer> of_groups;  // (N,groups)
  std::vector<double> sums;                   // scratch: the gradients of gain and bias
};

/// Plans a group norm. Throws `error` if the groups do not divide the channels or a size is 0.
template <class T>
serial_group_norm<T> make_group_norm(serial_backend&, const group_norm_shape& s) {
  require_valid(s);
  return {s, vector_of<detail::normalizer>("moments of a group norm", {s.sizes.images, s.groups}),
          vector_of<double>("sums of a group norm", {2, s.sizes.channels})};
}

/// Sets y = then(z), z = (u gain + bias) (1 + a) + b, where u is x + shift minus its mean over each group of channels,
/// over the root of its biased variance plus epsilon. shift is (N,C), (1,C) for all images, or empty; it holds, for
/// example, the bias of a convolution or a projected time. gain and bias are (C) or both empty; modulation, a before b,
/// is (N,2C), (1,2C) or empty. x may be in two parts. y may be x if no backward pass follows. The result equals that of
/// exact arithmetic to a few roundings of z, for a mean of any size. Sources: Wu and He 2018; Dhariwal and Nichol 2021
/// for the modulation.
template <class T>
void group_norm_forward(serial_backend&, serial_group_norm<T>& plan, const_joined_view<T, host_space> x,
                        const_view<T, host_space> shift, const_view<T, host_space> gain, const_view<T, host_space> bias,
                        const_view<T, host_space> modulation, view<T, host_space> y) {
  const shape s = x.extent();
  const detail::joined_planes<const T> of_x{x};
  const std::size_t width = plan.sizes.channels_per_group(), plane = s.plane();
  const detail::group_norm_parameters<T> of{s.channels, shift, gain, bias, modulation};
  detail::with_activation(plan.sizes.then, [&](auto then) {
    for (std::size_t n = 0; n < s.images; ++n)
      for (std::size_t g = 0; g < plan.sizes.groups; ++g) {
        const auto over_group = [&](const auto& body) {
          for (std::size_t c = g * width; c < (g + 1) * width; ++c)
            for (std::size_t p = 0; p < plane; ++p)
              body(c, c * plane + p, static_cast<double>(of_x.at(n, c)[p]) + of.shift_of(n, c));
        };
        const double count = static_cast<double>(width * plane);
        double sum = 0, squares = 0;
        over_group([&](std::size_t, std::size_t, double v) { sum += v; });
        const double mean = sum / count;
        over_group([&](std::size_t, std::size_t, double v) { squares += (v - mean) * (v - mean); });
        const auto normalizer = detail::normalizer_of(mean, squares / count, plan.sizes.epsilon);
        plan.of_groups[n * plan.sizes.groups + g] = normalizer;
        over_group([&](std::size_t c, std::size_t i, double v) {
          const double u = (v - normalizer.mean) * normalizer.scale;
          const double z = (u * of.gain_of(c) + of.bias_of(c)) * of.factor_of(n, c) + of.offset_of(n, c);
          raw(y)[n * s.per_image() + i] = static_cast<T>(then.value(z));
        });
      }
  });
}

/// Computes the gradients with respect to x, gain, bias, shift (N,C) and modulation (N,2C), from dy, for the arguments
/// of the last forward pass; a shift or modulation that all images share has the sum of the rows. They are set, not
/// added to. dgain together with dbias, dshift and dmodulation may be empty. dx may be dy. If `sum` is not empty, it is
/// set to the gradient with respect to x plus the two addends, each of which may be empty or `sum`; the content of dx
/// is then undefined. If x is in two parts, so are `sum` and the second addend; each part of these may be empty.
template <class T>
void group_norm_backward(serial_backend&, serial_group_norm<T>& plan, const_joined_view<T, host_space> x,
                         const_view<T, host_space> shift, const_view<T, host_space> gain,
                         const_view<T, host_space> bias, const_view<T, host_space> modulation,
                         const_view<T, host_space> dy, view<T, host_space> dx, view<T, host_space> dgain,
                         view<T, host_space> dbias, view<T, host_space> dshift, view<T, host_space> dmodulation,
                         const_view<T, host_space> addend = {}, const_joined_view<T, host_space> addend_2 = {},
                         joined_out_of<serial_backend, T> sum = {}) {
  const shape s = x.extent();
  const detail::joined_planes<const T> of_x{x};
  const std::size_t width = plan.sizes.channels_per_group(), plane = s.plane();
  const detail::group_norm_parameters<T> of{s.channels, shift, gain, bias, modulation};
  std::fill(plan.sums.begin(), plan.sums.end(), 0.0);
  detail::with_activation(plan.sizes.then, [&](auto then) {
    for (std::size_t n = 0; n < s.images; ++n)
      for (std::size_t g = 0; g < plan.sizes.groups; ++g) {
        const detail::normalizer normalizer = plan.of_groups[n * plan.sizes.groups + g];
        // Calls body(position, u, dz) for the elements of a channel.
        const auto over_channel = [&](std::size_t c, const auto& body) {
          for (std::size_t p = 0; p < plane; ++p) {
            const std::size_t i = n * s.per_image() + c * plane + p;
            const double v = static_cast<double>(of_x.at(n, c)[p]) + of.shift_of(n, c);
            const double u = (v - normalizer.mean) * normalizer.scale;
            const double z = (u * of.gain_of(c) + of.bias_of(c)) * of.factor_of(n, c) + of.offset_of(n, c);
            body(i, u, static_cast<double>(raw(dy)[i]) * then.derivative(z));
          }
        };
        double mean_du = 0, mean_du_u = 0;
        for (std::size_t c = g * width; c < (g + 1) * width; ++c) {
          double sum_dz = 0, sum_dz_u = 0;
          over_channel(c, [&](std::size_t, double u, double dz) {
            sum_dz += dz;
            sum_dz_u += dz * u;
          });
          const double slope = of.gain_of(c) * of.factor_of(n, c);  // of z as a function of u
          mean_du += slope * sum_dz / static_cast<double>(width * plane);
          mean_du_u += slope * sum_dz_u / static_cast<double>(width * plane);
          plan.sums[c] += of.factor_of(n, c) * sum_dz_u;
          plan.sums[s.channels + c] += of.factor_of(n, c) * sum_dz;
          if (dmodulation.empty()) continue;
          T* row = raw(dmodulation) + n * 2 * s.channels;
          row[c] = static_cast<T>(of.gain_of(c) * sum_dz_u + of.bias_of(c) * sum_dz);
          row[s.channels + c] = static_cast<T>(sum_dz);
        }
        for (std::size_t c = g * width; c < (g + 1) * width; ++c) {
          double of_shift = 0;
          over_channel(c, [&](std::size_t i, double u, double dz) {
            const double du = of.gain_of(c) * of.factor_of(n, c) * dz;
            const double d = normalizer.scale * (du - mean_du - u * mean_du_u);
            raw(dx)[i] = static_cast<T>(d);
            of_shift += d;
          });
          if (!dshift.empty()) raw(dshift)[n * s.channels + c] = static_cast<T>(of_shift);
        }
      }
  });
  const detail::joined_planes<T> of_sum{sum, x};
  const detail::joined_planes<const T> of_addend_2{addend_2, x};
  for (std::size_t k = 0; k < s.images * s.channels; ++k) {
    T* const to = of_sum.at(k / s.channels, k % s.channels);
    const T* const more = of_addend_2.at(k / s.channels, k % s.channels);
    for (std::size_t p = 0; p < (to == nullptr ? 0 : plane); ++p)
      to[p] = raw(dx)[k * plane + p] + (addend.empty() ? T{} : raw(addend)[k * plane + p]) +
              (more == nullptr ? T{} : more[p]);
  }
  if (dgain.empty()) return;
  for (std::size_t c = 0; c < s.channels; ++c) {
    raw(dgain)[c] = static_cast<T>(plan.sums[c]);
    raw(dbias)[c] = static_cast<T>(plan.sums[s.channels + c]);
  }
}

}  // namespace softscore::inline SOFTSCORE_ABI
