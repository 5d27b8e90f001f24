#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <softscore/backend/tbb.hpp>
#include <softscore/core/time_grid.hpp>
#include <softscore/core/xtensor.hpp>
#include <softscore/corruption/prior.hpp>
#include <softscore/corruption/tabulated.hpp>
#include <softscore/data/labeled_images.hpp>
#include <softscore/denoiser/concept.hpp>
#include <softscore/train/train.hpp>

#include "any_network.hpp"
#include "common/any_denoiser.hpp"
#include "common/watching.hpp"
#include "using_common.hpp"

// A recipe is known when the program is compiled; the command line comes later. `model` is the one place where the two
// meet: a virtual call per command, and one per batch that the network evaluates.
namespace digits {

/// How to draw images.
struct sampling_plan {
  std::string sampler{"momentum"};
  std::size_t steps{200};
  std::size_t count{64};
  std::size_t batch_size{128};
  std::uint64_t seed{0};
};

/// An observer of training; it stops the work by returning false.
using training_watch = std::function<bool(const softscore::training_progress&)>;

/// The choices that a recipe leaves open in its loss.
struct loss_choice {
  double ahead{};  ///< how much earlier soft score matching compares
  bool naive{};    ///< the naive loss instead
};

/// What sampling adds its first noise to, if the recipe fits that to its images: the prior in the checkpoint, one
/// random color as in clean images, or what the corruption leaves of one.
enum class prior_choice { trained, color, corrupted_color };

/// A recipe with a network in it.
class model {
 public:
  virtual ~model() = default;

  virtual any_network& network() = 0;
  /// From [0, 1] to the range that the network sees.
  virtual softscore::pixel_scale pixels() const = 0;
  /// What sampling adds its first noise to; empty if that is nothing.
  virtual const softscore::fitted_prior& prior() const = 0;
  virtual void set_prior(softscore::fitted_prior prior) = 0;
  /// Fits that to training images, if the recipe requires it.
  virtual void fit_prior(softscore::tbb_backend& be, const softscore::image_batch& images,
                         prior_choice kind = prior_choice::trained) = 0;

  virtual softscore::training_result train(softscore::tbb_backend& be, const softscore::data_set& data,
                                           const softscore::training_options& options, const loss_choice& loss,
                                           const training_watch& watch,
                                           const std::optional<softscore::training_state>& from,
                                           const softscore::checkpoint_extras& extras) = 0;
  /// Throws `error` if there is no such sampler or it does not fit this recipe.
  virtual void check_sampler(const std::string& sampler) const = 0;
  virtual drawing sample(softscore::tbb_backend& be, const sampling_plan& plan, const sampling_watch& watch) const = 0;
  /// The denoiser, for batches of at most that shape; the model must outlive it.
  virtual estimator denoiser(softscore::tbb_backend& be, const softscore::shape& batch) const = 0;
  /// x_t of the given images in [0, 1], converted back to that range.
  virtual softscore::image_batch corrupted(softscore::tbb_backend& be, const softscore::image_batch& images,
                                           double time, std::uint64_t seed) const = 0;
  /// Level and noise at a time, for people.
  virtual std::string describe(double time) const = 0;
};

/// What the program knows about a recipe before it makes one.
struct recipe_entry {
  std::string_view name, about;
  std::string_view sampler;  ///< its default one
  std::size_t steps{};       ///< and the number of its steps
  bool looks_ahead{};        ///< whether its loss is soft score matching, or the naive one instead
  double ahead{};            ///< how much earlier soft score matching compares; 0 for the others
  bool fits_prior{};         ///< whether sampling starts from a distribution fitted to the training images
  bool takes_schedule{};     ///< whether a file may give its schedule
  softscore::training_options (*training)();
  std::unique_ptr<model> (*make)(any_network network, std::optional<softscore::tabulated> searched);
};

std::span<const recipe_entry> all_recipes();
/// Throws `error` naming all recipes if there is none of that name.
const recipe_entry& find_recipe(const std::string& name);

recipe_entry blur_entry();
recipe_entry ddpm_entry();
recipe_entry eraser_entry();
recipe_entry mask_entry();

}  // namespace digits
