#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include <softscore/backend/serial.hpp>
#include <softscore/core/noise.hpp>
#include <softscore/core/view.hpp>

/// The serial backend, with noise that a file holds instead of drawn noise: each draw hands out the next numbers.
class drawn_noise_backend : public softscore::serial_backend {
 public:
  explicit drawn_noise_backend(std::vector<float> noise) : noise_{std::move(noise)} {}

  template <softscore::Scalar T>
  void normal(softscore::noise_key, softscore::image_range, softscore::view<T, softscore::host_space> out) {
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<T>(noise_.at(next_++));
  }

 private:
  std::vector<float> noise_;
  std::size_t next_{};
};
static_assert(softscore::NetworkBackend<drawn_noise_backend, float>);
