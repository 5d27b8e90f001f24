#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <softscore/backend/tbb.hpp>

#include "common/watching.hpp"
#include "model.hpp"

namespace images {

/// The same for a model: with the label of each image, and the scale.
struct checked_plan {
  sampling_plan asked;
  std::vector<softscore::class_label> labels{};  ///< of each image, or none
  std::size_t classes{};                         ///< how many of them are different; 0 without labels
  double scale{1.0};
};

/// Throws `error` for an unknown sampler, for more steps than the chain has, for labels and a scale for a model without
/// labels, for labels that it does not have, and for fewer images than labels.
checked_plan check_plan(const sampling_plan& plan, const run_settings& settings);

/// Draws with a progress bar. `also` is called at every step. Throws `stopped_by_user`, which says `how_to_go_on`.
common::drawing draw(softscore::tbb_backend& be, const model& m, const run_settings& settings, const checked_plan& plan,
                     const std::string& how_to_go_on, const common::sampling_watch& also = {});

/// The number of columns in which the images of a plan are shown: each class has at least one row.
std::size_t columns_of(const checked_plan& plan, std::size_t most = 10);

}  // namespace images
