#pragma once

#include <cstddef>
#include <vector>

#include <softscore/core/error.hpp>
#include <softscore/core/noise.hpp>
#include <softscore/core/per_image.hpp>
#include <softscore/core/time_grid.hpp>
#include <softscore/core/view.hpp>
#include <softscore/data/labeled_images.hpp>
#include <softscore/train/options.hpp>

// A pair is two copies of part.cpp, `first` and `second`, compiled with flags of their own, beside main.cpp. All that
// crosses between the three is declared here: numbers, and types of the library that files of unlike flags share.

struct part_results {
  std::vector<float> noise;  // normal numbers
  // corrupted images, the output of a CNN and its gradients, by fast and by plain kernels
  std::vector<std::vector<float>> arrays;
};

#define SOFTSCORE_DECLARE_PART(part)                                                                             \
  namespace part {                                                                                               \
  part_results compute();                                                                                        \
  void throw_error();                                                                                            \
  float last_element(const softscore::shape& extent, softscore::view<const float, softscore::host_space> values, \
                     softscore::per_image<softscore::level> levels, const softscore::noise_key& key,             \
                     const softscore::time_grid& grid);                                                          \
  std::size_t steps_of(const softscore::training_options& options, const softscore::data_set& data);             \
  bool catches(void (*throws)());                                                                                \
  }
SOFTSCORE_DECLARE_PART(first)
SOFTSCORE_DECLARE_PART(second)
