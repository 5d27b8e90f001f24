#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <type_traits>
#include <vector>

#include <softscore/backend/group_norm_parameters.hpp>
#include <softscore/backend/group_norm_shape.hpp>
#include <softscore/backend/joined_planes.hpp>
#include <softscore/backend/joined_view.hpp>
#include <softscore/backend/tbb/concatenate.hpp>
#include <softscore/backend/tbb/group_norm_rows.hpp>
#include <softscore/backend/tbb/layout.hpp>
#include <softscore/core/checked_size.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// What a group norm keeps between calls. A task is a unit of an image: the smallest number of channels that forms
/// whole groups and whole blocks. No sum crosses a unit, except those over images.
template <class T>
struct tbb_group_norm {
  group_norm_shape sizes;
  std::size_t block, unit;                       // channels
  std::vector<detail::normalizer> of_groups;     // (N,groups), of the last forward pass
  std::vector<detail::channel_moments> moments;  // (N,C), of the last forward pass
  std::vector<detail::channel_sums> sums;        // (N,C), of the backward pass
  std::vector<detail::gradient_means> means;     // (N,groups), of the backward pass

  std::size_t units() const { return sizes.sizes.channels / unit; }
};

/// Plans a group norm. Throws `error` if the groups do not divide the channels or a size is 0.
template <class T>
tbb_group_norm<T> make_group_norm(tbb_backend& be, const group_norm_shape& s) {
  require_valid(s);
  const std::size_t block = channel_block<T>(be, s.sizes.channels);
  return {s,
          block,
          std::lcm(block, s.channels_per_group()),
          vector_of<detail::normalizer>("moments of a group norm", {s.sizes.images, s.groups}),
          vector_of<detail::channel_moments>("moments of a group norm", {s.sizes.images, s.sizes.channels}),
          vector_of<detail::channel_sums>("sums of a group norm", {s.sizes.images, s.sizes.channels}),
          vector_of<detail::gradient_means>("means of a group norm", {s.sizes.images, s.groups})};
}

namespace detail {

// Mean and scale of each group of a unit from the moments of its channels.
template <class T>
void normalize_unit(tbb_group_norm<T>& plan, const group_norm_parameters<T>& of, std::size_t n, std::size_t first) {
  const std::size_t channels = plan.sizes.sizes.channels, width = plan.sizes.channels_per_group();
  const double plane = static_cast<double>(plan.sizes.sizes.plane()), count = plane * static_cast<double>(width);
  for (std::size_t g = first / width; g < (first + plan.unit) / width; ++g) {
    const channel_moments* moments = plan.moments.data() + n * channels;
    double mean = 0, squares = 0;
    for (std::size_t c = g * width; c < (g + 1) * width; ++c) mean += moments[c].mean + of.shift_of(n, c);
    mean /= static_cast<double>(width);
    for (std::size_t c = g * width; c < (g + 1) * width; ++c) {
      const double apart = moments[c].mean + of.shift_of(n, c) - mean;
      squares += moments[c].squares + plane * apart * apart;
    }
    plan.of_groups[n * plan.sizes.groups + g] = normalizer_of(mean, squares / count, plan.sizes.epsilon);
  }
}

// Computes, from the sums over the channels of a unit, the means over its groups, and the gradients of shift and
// modulation unless they are null. The sums become the image's shares of the gradients of bias and gain.
template <class T>
void differentiate_unit(tbb_group_norm<T>& plan, const group_norm_parameters<T>& of, std::size_t n, std::size_t first,
                        T* dshift, T* dmodulation) {
  const std::size_t channels = plan.sizes.sizes.channels, width = plan.sizes.channels_per_group();
  const double plane = static_cast<double>(plan.sizes.sizes.plane()), count = plane * static_cast<double>(width);
  const channel_moments* moments = plan.moments.data() + n * channels;
  channel_sums* sums = plan.sums.data() + n * channels;
  for (std::size_t g = first / width; g < (first + plan.unit) / width; ++g) {
    const normalizer of_group = plan.of_groups[n * plan.sizes.groups + g];
    double du = 0, du_u = 0;
    for (std::size_t c = g * width; c < (g + 1) * width; ++c) {
      const double slope = of.gain_of(c) * of.factor_of(n, c);
      du += slope * sums[c].dz;
      du_u += slope * sums[c].dz_deviation * of_group.scale;
    }
    du /= count;
    du_u /= count;
    plan.means[n * plan.sizes.groups + g] = {du, du_u};
    for (std::size_t c = g * width; c < (g + 1) * width; ++c) {
      const double factor = of.factor_of(n, c), dz = sums[c].dz, dz_u = sums[c].dz_deviation * of_group.scale;
      if (dshift != nullptr) {
        const double mean_u = (moments[c].mean + of.shift_of(n, c) - of_group.mean) * of_group.scale;
        const double sum = of.gain_of(c) * factor * dz - plane * (du + mean_u * du_u);
        dshift[n * channels + c] = static_cast<T>(of_group.scale * sum);
      }
      if (dmodulation != nullptr) {
        T* row = dmodulation + n * 2 * channels;
        row[c] = static_cast<T>(of.gain_of(c) * dz_u + of.bias_of(c) * dz);
        row[channels + c] = static_cast<T>(dz);
      }
      sums[c] = {factor * dz, factor * dz_u};
    }
  }
}

// sum = dx + addend + addend_2, from one array into two parts, each of which may be empty. So may the addends, and
// parts of addend_2 may be those of the sum. The content of dx is then undefined.
template <class T>
void add_to_parts(tbb_backend& be, view<T, host_space> dx, const_view<T, host_space> addend,
                  const_joined_view<T, host_space> addend_2, joined_out_of<tbb_backend, T> sum) {
  if (sum.empty()) return;
  if (!addend.empty()) be.combine(dx, term{1.0, dx}, term_of<tbb_backend, T>{1.0, addend});
  const auto set = [&](view<T, host_space> to, const_view<T, host_space> more, const auto& take) {
    if (to.empty()) return;
    if (more.empty()) return take(to);
    auto part = be.template make<T>(to.extent());
    take(part.view());
    be.combine(to, term_of<tbb_backend, T>{1.0, more}, term{1.0, part.view()});
  };
  const view<T, host_space> none{};
  set(sum.first, addend_2.first, [&](view<T, host_space> to) { separate(be, dx, to, none); });
  set(sum.second, addend_2.second, [&](view<T, host_space> to) { separate(be, dx, none, to); });
}

}  // namespace detail

/// Sets y = then((u gain + bias) (1 + a) + b) with u normalized over each group of x + shift, as on the serial backend:
/// one pass over x for the moments and one for y. x may be in two parts. y may be x if no backward pass follows.
template <class T>
void group_norm_forward(tbb_backend& be, tbb_group_norm<T>& plan, const_joined_view<T, host_space> x,
                        const_view<T, host_space> shift, const_view<T, host_space> gain, const_view<T, host_space> bias,
                        const_view<T, host_space> modulation, view<T, host_space> y) {
  if (!detail::have_joined_blocks<T>(be, x)) {
    const detail::joined_copy<tbb_backend, T> whole{be, x};
    return group_norm_forward<T>(be, plan, whole.view(), shift, gain, bias, modulation, y);
  }
  const shape s = x.extent();
  const detail::joined_planes<const T> rows{x};
  const std::size_t plane = s.plane(), block = plan.block;
  const detail::group_norm_parameters<T> of{s.channels, shift, gain, bias, modulation};
  detail::with_activation(plan.sizes.then, [&](auto then) {
    be.parallel(s.images * plan.units(), [&](std::size_t task) {
      const std::size_t n = task / plan.units(), first = task % plan.units() * plan.unit;
      for (std::size_t c = first; c < first + plan.unit; c += block)
        detail::moments_of_row(rows.at(n, c), plane, block, plan.moments.data() + n * s.channels + c);
      detail::normalize_unit(plan, of, n, first);
      for (std::size_t c = first; c < first + plan.unit; c += block) {
        const std::size_t at = (n * s.channels + c) * plane;
        const detail::row_coefficients<T> row{
            of, plan.of_groups.data() + n * plan.sizes.groups, plan.sizes.channels_per_group(), n, c, block};
        detail::group_norm_row(then, row, rows.at(n, c), plane, block, raw(y) + at);
      }
    });
  });
}

/// Computes the gradients with respect to x, gain, bias, shift (N,C) and modulation (N,2C), from dy, as on the serial
/// backend: one pass for the sums, which leaves dz in dx, and one for dx or the sum with addends. dx may be dy. x may
/// be in two parts; then the sum and the second addend are too.
template <class T>
void group_norm_backward(tbb_backend& be, tbb_group_norm<T>& plan, const_joined_view<T, host_space> x,
                         const_view<T, host_space> shift, const_view<T, host_space> gain,
                         const_view<T, host_space> bias, const_view<T, host_space> modulation,
                         const_view<T, host_space> dy, view<T, host_space> dx, view<T, host_space> dgain,
                         view<T, host_space> dbias, view<T, host_space> dshift, view<T, host_space> dmodulation,
                         const_view<T, host_space> addend = {}, const_joined_view<T, host_space> addend_2 = {},
                         joined_out_of<tbb_backend, T> sum = {}) {
  if (!detail::have_joined_blocks<T>(be, x)) {
    const detail::joined_copy<tbb_backend, T> whole{be, x};
    group_norm_backward<T>(be, plan, whole.view(), shift, gain, bias, modulation, dy, dx, dgain, dbias, dshift,
                           dmodulation);
    return detail::add_to_parts<T>(be, dx, addend, addend_2, sum);
  }
  const shape s = x.extent();
  const detail::joined_planes<const T> rows{x}, rows_2{addend_2, x};
  const detail::joined_planes<T> rows_of_sum{sum, x};
  const std::size_t plane = s.plane(), block = plan.block, width = plan.sizes.channels_per_group();
  const detail::group_norm_parameters<T> of{s.channels, shift, gain, bias, modulation};
  detail::with_activation(plan.sizes.then, [&](auto then) {
    using row_coefficients = detail::row_coefficients<T>;
    be.parallel(s.images * plan.units(), [&](std::size_t task) {
      const std::size_t n = task / plan.units(), first = task % plan.units() * plan.unit;
      const detail::normalizer* of_groups = plan.of_groups.data() + n * plan.sizes.groups;
      for (std::size_t c = first; c < first + plan.unit; c += block) {
        const std::size_t at = (n * s.channels + c) * plane;
        detail::group_norm_row_sums(then, row_coefficients{of, of_groups, width, n, c, block}, rows.at(n, c),
                                    raw(dy) + at, plane, block, raw(dx) + at, plan.sums.data() + n * s.channels + c);
      }
      detail::differentiate_unit(plan, of, n, first, raw(dshift), raw(dmodulation));
      const T* dz = std::is_same_v<decltype(then), no_activation> ? raw(dy) : raw(dx);
      for (std::size_t c = first; c < first + plan.unit; c += block) {
        const std::size_t at = (n * s.channels + c) * plane;
        const detail::row_slopes<T> by{of, of_groups, plan.means.data() + n * plan.sizes.groups, width, n, c, block};
        T* const to = rows_of_sum.at(n, c);
        detail::with_addends<T>(addend.empty() ? nullptr : raw(addend) + at, rows_2.at(n, c), [&](auto add) {
          detail::group_norm_row_backward(row_coefficients{of, of_groups, width, n, c, block}, by, add, rows.at(n, c),
                                          dz + at, plane, block, to == nullptr ? raw(dx) + at : to);
        });
      }
    });
  });
  if (dgain.empty()) return;
  // In double and image by image, so that the order depends on nothing else.
  constexpr std::size_t share = 64;
  be.parallel((s.channels + share - 1) / share, [&](std::size_t task) {
    for (std::size_t c = task * share; c < (std::min)(s.channels, (task + 1) * share); ++c) {
      double of_gain = 0, of_bias = 0;
      for (std::size_t n = 0; n < s.images; ++n) {
        const detail::channel_sums& sums = plan.sums[n * s.channels + c];
        of_gain += sums.dz_deviation;
        of_bias += sums.dz;
      }
      raw(dgain)[c] = static_cast<T>(of_gain);
      raw(dbias)[c] = static_cast<T>(of_bias);
    }
  });
}

}  // namespace softscore::inline SOFTSCORE_ABI
