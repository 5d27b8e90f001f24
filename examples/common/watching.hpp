#pragma once

#include <cstddef>
#include <functional>

#include <softscore/core/step_at.hpp>
#include <softscore/core/view.hpp>
#include <softscore/core/xtensor.hpp>

namespace common {

/// What an observer of sampling receives before every step of every batch, in the range of the model.
struct sampling_view {
  softscore::step_at at;
  std::size_t nfe{};
  softscore::view<const float, softscore::host_space> x, h;
  std::size_t done{}, images{};  ///< images of the batches before, and in total
};

/// An observer of sampling; it stops the work by returning false.
using sampling_watch = std::function<bool(const sampling_view&)>;

/// Images in [0, 1] (not clipped), and what they cost.
struct drawing {
  softscore::image_batch images;
  std::size_t nfe{};
  bool stopped{};
};

}  // namespace common
