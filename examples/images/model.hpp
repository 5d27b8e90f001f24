#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include <softscore/backend/tbb.hpp>
#include <softscore/data/labeled_images.hpp>
#include <softscore/denoiser/diffusers/scheduler.hpp>
#include <softscore/nn/unet/config.hpp>
#include <softscore/train/train.hpp>

#include "common/any_denoiser.hpp"
#include "settings.hpp"

namespace images {

/// An observer of training; it stops the work by returning false.
using training_watch = std::function<bool(const softscore::training_progress&)>;

/// A U-Net that predicts the noise of a chain. Only model.cpp knows its type.
class model {
 public:
  /// A network that is not trained yet. Throws `error` for settings that contradict each other.
  model(const softscore::unet_config& network, const softscore::diffusers_scheduler& scheduler);
  model(model&&) noexcept;
  model& operator=(model&&) noexcept;
  ~model();

  const softscore::unet_config& network() const;
  /// The shape of one image.
  softscore::shape image() const;
  std::size_t parameter_count() const;
  std::span<const float> parameters() const;
  void set_parameters(std::span<const float> values);

  softscore::training_result train(softscore::tbb_backend& be, const softscore::data_set& data,
                                   const softscore::training_options& options, const training_watch& watch,
                                   const std::optional<softscore::training_state>& from,
                                   const softscore::checkpoint_extras& extras);
  /// Its denoiser, clipped to the range of pixels, under classifier-free guidance if the scale is not 1. The model must
  /// outlive it.
  common::any_denoiser denoiser(double scale) const;
  /// Writes a folder that diffusers reads.
  void save(const std::filesystem::path& folder) const;

 private:
  struct parts;
  std::unique_ptr<parts> parts_;
};

/// A model read from a file or a folder, ready to draw.
struct opened_model {
  model made;
  run_settings settings;
  std::optional<softscore::training_state> state{};  ///< of a checkpoint
};

/// Reads a checkpoint that `images train` wrote, or a folder of diffusers. Throws `error` naming the file for any
/// other, and for a model that does not predict the noise.
opened_model open_model(const std::filesystem::path& path);

/// The same network for images of that size.
model resized(model made, const softscore::diffusers_scheduler& scheduler, const softscore::shape& image);

}  // namespace images
