#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <type_traits>

#include <softscore/core/conditioning.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/quantity.hpp>
#include <softscore/nn/ask_network.hpp>
#include <softscore/nn/concept.hpp>
#include <softscore/nn/layered_network.hpp>
#include <softscore/nn/parameters.hpp>
#include <softscore/nn/unet/body.hpp>
#include <softscore/nn/unet/config.hpp>
#include <softscore/nn/unet/embedding.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The U-Net of denoising diffusion (Ho et al. 2020; Dhariwal and Nichol 2021), with the settings, quirks and parameter
/// names of diffusers' UNet2DModel. `Time` is the scale on which it takes the time: `step_index` for models of
/// diffusers, `sigma` for those with Fourier features, whose output is divided by it. It accepts images of any size
/// that its levels divide.
template <NetworkTime Time>
class unet : public layered_network<unet_body, unet_embedding<Time>> {
 public:
  using time_type = Time;
  using any_size = std::true_type;  ///< that its levels divide

  /// Parameters are 0 until they are set or initialized. Throws `error` for settings that contradict each other, for
  /// groups that do not divide the channels of their norm, and for Fourier features or a table of steps on a scale of
  /// time that is not theirs.
  template <class = when_called>
  explicit unet(const unet_config& settings)
      : layered_network<unet_body, unet_embedding<Time>>{parts_of(settings)}, settings_{settings} {}

  /// Returns the parameters that a network with these settings has, without memory for their values. Throws as the
  /// constructor does.
  template <class = when_called>
  static parameter_layout layout_of(const unet_config& settings) {
    return parts_of(settings).layout;
  }

  const unet_config& settings() const { return settings_; }
  /// The number of classes that labels can name, counted from 0; 0 if it takes no labels.
  std::size_t label_count() const { return settings_.label_count(); }
  /// The number of steps of the chain whose indices it takes.
  std::size_t steps() const
    requires std::same_as<Time, step_index>
  {
    return settings_.steps();
  }
  /// Throws `error` for labels, features and images beside x that it does not accept for a batch of the shape `images`.
  void check(const conditioning& given, const shape& images) const {
    layered_network<unet_body, unet_embedding<Time>>::check(given, images);
    this->embedding().check(given, images.images);
  }
  /// Throws `error` for a time that it does not accept: one without a row in a table of learned times, a sigma that is
  /// not positive, and one that is not finite.
  void check_time(Time t) const { this->embedding().check_time(t); }

 private:
  static auto parts_of(const unet_config& settings) {
    const char* const name = settings.class_planes > 0 && settings.form == unet_form::normed ? "model" : "";
    return layered_network<unet_body, unet_embedding<Time>>::placed(unet_body{checked(settings)},
                                                                    unet_embedding<Time>{settings}, image_of(settings),
                                                                    name, name, image_beside{settings.beside_channels});
  }
  static const unet_config& checked(const unet_config& settings) {
    require_valid(settings);
    if constexpr (!std::same_as<Time, sigma>)
      require(settings.time_embedding != unet_time::fourier, "time_embedding", "fourier",
              "another one for this scale of time: Fourier features are those of a sigma");
    if constexpr (!std::same_as<Time, step_index>)
      require(settings.time_embedding != unet_time::learned, "time_embedding", "learned",
              "another one for this scale of time: a table has a row for each step index");
    return settings;
  }
  // The shape of its images, with the size in the settings; without one, 32 pixels or the least that the levels divide.
  static shape image_of(const unet_config& settings) {
    const std::size_t least = (std::max)(std::size_t{32}, settings.multiple());
    return {1, settings.in_channels - settings.planes() - settings.beside_channels,
            settings.height > 0 ? settings.height : least, settings.width > 0 ? settings.width : least};
  }

  unet_config settings_;
};
static_assert(Network<unet<step_index>, archetype_backend, float, step_index> &&
              Network<unet<sigma>, archetype_backend, double, sigma>);
static_assert(TakesConditioning<unet<step_index>, archetype_backend, float, step_index> &&
              ChecksNetworkTime<unet<step_index>>);

}  // namespace softscore::inline SOFTSCORE_ABI
