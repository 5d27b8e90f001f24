#pragma once

#include <cstddef>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/view.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// Mean and 1 / standard deviation of the elements that are normalized together.
struct normalizer {
  double mean, scale;
};

// From the mean and the biased variance.
SOFTSCORE_HD inline normalizer normalizer_of(double mean, double variance, double epsilon) {
  return {mean, 1 / std::sqrt((variance < 0 ? 0 : variance) + epsilon)};
}

// The arguments of a group norm except its input, with 0 and 1 for those that are absent. They are in double, so that
// products of them are rounded once, when an element is computed.
template <class T>
struct group_norm_parameters {
  const T* shift;       // (N,C), (1,C) or null
  const T* gain;        // (C) or null
  const T* bias;        // (C) or null
  const T* modulation;  // (N,2C), (1,2C) or null: a before b
  std::size_t channels, shift_step, modulation_step;

  group_norm_parameters() = default;
  template <class Space>
  group_norm_parameters(std::size_t of_channels, view<const T, Space> of_shift, view<const T, Space> of_gain,
                        view<const T, Space> of_bias, view<const T, Space> of_modulation)
      : shift{raw(of_shift)},
        gain{raw(of_gain)},
        bias{raw(of_bias)},
        modulation{raw(of_modulation)},
        channels{of_channels},
        shift_step{of_shift.extent().images > 1 ? of_channels : 0},
        modulation_step{of_modulation.extent().images > 1 ? 2 * of_channels : 0} {}

  SOFTSCORE_HD double shift_of(std::size_t n, std::size_t c) const {
    return shift == nullptr ? 0 : static_cast<double>(shift[n * shift_step + c]);
  }
  SOFTSCORE_HD double gain_of(std::size_t c) const { return gain == nullptr ? 1 : static_cast<double>(gain[c]); }
  SOFTSCORE_HD double bias_of(std::size_t c) const { return bias == nullptr ? 0 : static_cast<double>(bias[c]); }
  // 1 + a
  SOFTSCORE_HD double factor_of(std::size_t n, std::size_t c) const {
    return modulation == nullptr ? 1 : 1 + static_cast<double>(modulation[n * modulation_step + c]);
  }
  // b
  SOFTSCORE_HD double offset_of(std::size_t n, std::size_t c) const {
    return modulation == nullptr ? 0 : static_cast<double>(modulation[n * modulation_step + channels + c]);
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
