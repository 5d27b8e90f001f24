#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include <softscore/core/xtensor.hpp>

namespace contest {

/// What one sampler drew from one recipe with one budget.
struct entry {
  std::string recipe, sampler;
  int order{};
  std::size_t budget{};            ///< the evaluations that were allowed
  std::size_t nfe{}, steps{};      ///< those that were spent: a method may have a dearer start
  double milliseconds_per_step{};  ///< for all images, the network's time included
  double frechet{};
  softscore::image_batch shown{};  ///< a row of images, in [0, 1]
};

/// All entries of one recipe, and its controls: the distance of as many held-out images, and of noise.
struct recipe_results {
  std::string recipe;
  double held_out{}, noise{};
  std::size_t images{};
  std::vector<entry> entries;
};

/// Writes RECIPE.svg (distance against evaluations), RECIPE.png (a row of images per sampler, at the budget
/// `shown_at`), results.csv and page.md, which shows them, into `folder`.
void write_page(const std::filesystem::path& folder, const std::vector<recipe_results>& all, std::size_t shown_at);

}  // namespace contest
