#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>

#include <softscore/backend/group_norm_parameters.hpp>
#include <softscore/backend/tbb/activation_simd.hpp>
#include <softscore/backend/tbb/channel_moments.hpp>
#include <softscore/backend/tbb/lanes.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// The loops of a group norm over a row. A row is either `block` channels whose pixels are interleaved, with one vector
// per pixel; or the plane of one channel (block 1), whose vectors are runs of pixels and whose last pixels are vectors
// of one lane.

// z = ((x - center) - rest) scale + offset for each channel of a row. The mean is subtracted first, as a number of T
// and its remainder: x scale + offset would lose the digits that mean and x have in common.
template <class T>
struct row_coefficients {
  T center[lane_count<T>], rest[lane_count<T>], scale[lane_count<T>], offset[lane_count<T>];

  row_coefficients(const group_norm_parameters<T>& of, const normalizer* of_groups, std::size_t channels_per_group,
                   std::size_t n, std::size_t first, std::size_t block) {
    std::size_t g = first / channels_per_group, next = (g + 1) * channels_per_group;
    for (std::size_t lane = 0; lane < block; ++lane) {
      const std::size_t c = first + lane;
      if (c == next) {
        ++g;
        next += channels_per_group;
      }
      const normalizer& of_group = of_groups[g];
      const double mean = of_group.mean - of.shift_of(n, c), factor = of.factor_of(n, c);
      center[lane] = static_cast<T>(mean);
      rest[lane] = static_cast<T>(mean - static_cast<double>(center[lane]));
      scale[lane] = static_cast<T>(of_group.scale * of.gain_of(c) * factor);
      offset[lane] = static_cast<T>(of.bias_of(c) * factor + of.offset_of(n, c));
    }
  }
};

// Calls body(width, position, count) for a row: `count` vectors of `width` lanes from `position` on.
template <class T, class Body>
SOFTSCORE_INLINE void over_row(std::size_t plane, std::size_t block, const Body& body) {
  constexpr std::size_t wide = lane_count<T>;
  using wide_lanes = std::integral_constant<std::size_t, wide>;
  if (block > 1) return body(wide_lanes{}, std::size_t{0}, plane);
  if (plane >= wide) body(wide_lanes{}, std::size_t{0}, plane / wide);
  if (plane % wide > 0) body(std::integral_constant<std::size_t, 1>{}, plane / wide * wide, plane % wide);
}

template <class Activation, class T>
void group_norm_row(Activation then, const row_coefficients<T>& of, const T* x, std::size_t plane, std::size_t block,
                    T* y) {
  over_row<T>(plane, block, [&](auto width, std::size_t place, std::size_t count) SOFTSCORE_INLINE_LAMBDA {
    constexpr std::size_t W = width;
    const auto center = load_or_spread<T, W>(of.center, block > 1), rest = load_or_spread<T, W>(of.rest, block > 1);
    const auto scale = load_or_spread<T, W>(of.scale, block > 1), offset = load_or_spread<T, W>(of.offset, block > 1);
    for (std::size_t i = place; i < place + count * W; i += W) {
      const lanes<T, W> centered = (load_lanes<T, W>(x + i) - center) - rest;
      store_lanes(y + i, activation_value<T, W>(then, centered * scale + offset));
    }
  });
}

// The sums of dz and of dz times the deviation from the mean.
struct channel_sums {
  double dz, dz_deviation;
};

// The sums over each channel of a row; dz is stored in dx unless it is dy.
template <class Activation, class T>
void group_norm_row_sums(Activation then, const row_coefficients<T>& of, const T* x, const T* dy, std::size_t plane,
                         std::size_t block, T* dx, channel_sums* sums) {
  std::fill_n(sums, block, channel_sums{});
  over_row<T>(plane, block, [&](auto width, std::size_t place, std::size_t count) SOFTSCORE_INLINE_LAMBDA {
    constexpr std::size_t W = width;
    const auto center = load_or_spread<T, W>(of.center, block > 1), rest = load_or_spread<T, W>(of.rest, block > 1);
    const auto scale = load_or_spread<T, W>(of.scale, block > 1), offset = load_or_spread<T, W>(of.offset, block > 1);
    for (std::size_t first = 0; first < count; first += run_of_vectors) {
      const std::size_t length = (std::min)(run_of_vectors, count - first);
      lanes<T, W> products[4] = {}, of_dz[4] = {};
      const auto add = [&](std::size_t k, std::size_t part) SOFTSCORE_INLINE_LAMBDA {
        const std::size_t i = place + (first + k) * W;
        const lanes<T, W> centered = (load_lanes<T, W>(x + i) - center) - rest;
        lanes<T, W> dz = load_lanes<T, W>(dy + i);
        if constexpr (!std::is_same_v<Activation, no_activation>) {
          dz *= activation_slope<T, W>(then, centered * scale + offset);
          store_lanes(dx + i, dz);
        }
        of_dz[part] += dz;
        products[part] += dz * centered;
      };
      std::size_t k = 0;
      for (; k + 4 <= length; k += 4) unrolled<4>([&](auto part) SOFTSCORE_INLINE_LAMBDA { add(k + part, part); });
      for (; k < length; ++k) add(k, 0);
      const lanes<T, W> sum = (of_dz[0] + of_dz[1]) + (of_dz[2] + of_dz[3]);
      const lanes<T, W> product = (products[0] + products[1]) + (products[2] + products[3]);
      const std::size_t step = block > 1 ? 1 : 0;
      for (std::size_t lane = 0; lane < W; ++lane) {
        sums[lane * step].dz += static_cast<double>(sum[lane]);
        sums[lane * step].dz_deviation += static_cast<double>(product[lane]);
      }
    }
  });
}

// The means of du and of du u over a group; du is the gradient with respect to u.
struct gradient_means {
  double du, du_u;
};

// The coefficients of dx for each channel of a row: dx = (dz slope - constant) - (deviation scale) share.
template <class T>
struct row_slopes {
  T slope[lane_count<T>], constant[lane_count<T>], scale[lane_count<T>], share[lane_count<T>];

  row_slopes(const group_norm_parameters<T>& of, const normalizer* of_groups, const gradient_means* means,
             std::size_t channels_per_group, std::size_t n, std::size_t first, std::size_t block) {
    std::size_t g = first / channels_per_group, next = (g + 1) * channels_per_group;
    for (std::size_t lane = 0; lane < block; ++lane) {
      const std::size_t c = first + lane;
      if (c == next) {
        ++g;
        next += channels_per_group;
      }
      const double of_group = of_groups[g].scale;
      slope[lane] = static_cast<T>(of_group * of.gain_of(c) * of.factor_of(n, c));
      constant[lane] = static_cast<T>(of_group * means[g].du);
      scale[lane] = static_cast<T>(of_group);
      share[lane] = static_cast<T>(of_group * means[g].du_u);
    }
  }
};

// Some rows that are added to another one.
template <class T, std::size_t Count>
struct added_rows {
  const T* rows[Count == 0 ? 1 : Count];

  template <std::size_t W>
  SOFTSCORE_INLINE lanes<T, W> to(lanes<T, W> v, std::size_t i) const {
    unrolled<Count>([&](auto k) SOFTSCORE_INLINE_LAMBDA { v += load_lanes<T, W>(rows[k] + i); });
    return v;
  }
};
// Calls body(rows) with the rows that are not null.
template <class T, class Body>
void with_addends(const T* a, const T* b, const Body& body) {
  if (a != nullptr && b != nullptr) return body(added_rows<T, 2>{{a, b}});
  if (a != nullptr || b != nullptr) return body(added_rows<T, 1>{{a != nullptr ? a : b}});
  body(added_rows<T, 0>{{nullptr}});
}

// dx plus the added rows, any of which may be its destination.
template <class T, class Added>
void group_norm_row_backward(const row_coefficients<T>& of, const row_slopes<T>& by, const Added& added, const T* x,
                             const T* dz, std::size_t plane, std::size_t block, T* dx) {
  over_row<T>(plane, block, [&](auto width, std::size_t place, std::size_t count) SOFTSCORE_INLINE_LAMBDA {
    constexpr std::size_t W = width;
    const auto center = load_or_spread<T, W>(of.center, block > 1), rest = load_or_spread<T, W>(of.rest, block > 1);
    const auto slope = load_or_spread<T, W>(by.slope, block > 1), share = load_or_spread<T, W>(by.share, block > 1);
    const auto scale = load_or_spread<T, W>(by.scale, block > 1);
    const auto constant = load_or_spread<T, W>(by.constant, block > 1);
    for (std::size_t i = place; i < place + count * W; i += W) {
      const lanes<T, W> centered = (load_lanes<T, W>(x + i) - center) - rest;
      const lanes<T, W> d = (load_lanes<T, W>(dz + i) * slope - constant) - (centered * scale) * share;
      store_lanes(dx + i, added.template to<W>(d, i));
    }
  });
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
