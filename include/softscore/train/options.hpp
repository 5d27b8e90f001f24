#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/noise.hpp>
#include <softscore/core/quantity.hpp>
#include <softscore/core/sobol.hpp>
#include <softscore/data/loader.hpp>
#include <softscore/optim/averages.hpp>
#include <softscore/optim/learning_rate.hpp>

namespace softscore {  // shared

/// How training draws times: uniformly from (0, 1], or with `indices` T > 0 from 1/T, 2/T, ..., 1 (Ho et al. 2020,
/// Algorithm 1). `stratified` times are evenly spaced over a batch from one random start, so that no batch has many
/// early times and few late ones by chance; each time alone is still uniform (Kingma et al. 2021, Appendix I.1).
/// `sobol` times are those of a scrambled Sobol sequence that runs through the whole training, so that successive
/// batches fill each other's gaps as well.
struct time_distribution {
  std::size_t indices{};
  bool stratified{};
  bool sobol{};

  /// The time of one image under a key, independent of the others'.
  SOFTSCORE_SHARED diffusion_time draw(const noise_key& key, std::uint64_t image) const {
    if (indices == 0) return diffusion_time{1.0 - uniform(key, image, 0)};
    return of_index(uniform_below(indices, key, image, 0));
  }
  /// The time of image `place` of a batch of `images` images under a key, whose `step` is the number of the batch.
  SOFTSCORE_SHARED diffusion_time draw(const noise_key& key, std::uint64_t place, std::size_t images) const {
    if (!stratified && !sobol) return draw(key, place);
    const double u = sobol ? of_sequence(key, place, images) : of_stratum(key, place, images);
    if (indices == 0) return diffusion_time{1.0 - u};
    return of_index((std::min)(indices - 1, static_cast<std::size_t>(u * static_cast<double>(indices))));
  }

 private:
  SOFTSCORE_SHARED static double of_stratum(const noise_key& key, std::uint64_t place, std::size_t images) {
    const double turn = uniform(key, 0, 0) + static_cast<double>(place) / static_cast<double>(images);
    return turn - std::floor(turn);
  }
  SOFTSCORE_SHARED static double of_sequence(const noise_key& key, std::uint64_t place, std::size_t images) {
    return scrambled_sobol({key.seed, key.stream, 0, 1}, static_cast<std::uint32_t>(key.step * images + place));
  }
  SOFTSCORE_SHARED diffusion_time of_index(std::uint64_t below) const {
    return diffusion_time{static_cast<double>(below + 1) / static_cast<double>(indices)};
  }
};

/// Options of `train` and `trainer`. The defaults, except the number of epochs, are those of Knottenbelt n.d. for
/// DDPM on MNIST.
struct training_options {
  std::size_t epochs{5};                                          ///< passes over the data
  std::size_t batch_size{128};                                    ///< images per step; the rest of an epoch is dropped
  std::uint64_t seed{0};                                          ///< of initial weights, order, times and noise
  double learning_rate{2e-4};                                     ///< Adam's learning rate
  double max_grad_norm{std::numeric_limits<double>::infinity()};  ///< largest norm of the gradient
  std::uint64_t warmup_steps{0};                                  ///< steps over which the rate grows from 0
  rate_decay learning_rate_decay{rate_decay::constant};           ///< how the rate changes after them
  std::uint64_t decay_steps{0};  ///< the step at which a decay ends; 0 for the last step of all
  double end_factor{0.0};        ///< the rate then, as a fraction of `learning_rate`
  double weight_decay{0.0};      ///< that of AdamW; with 0 the optimizer is Adam
  double ema_decay{0.0};         ///< share that the average of the parameters keeps at a step; 0 for no average
  ema_schedule ema{};            ///< another form of the average, instead of `ema_decay`
  time_distribution times{};     ///< the distribution of t
  pixel_scale pixels{};          ///< from [0, 1] to the range that the model sees
  bool random_flip{};            ///< whether images are mirrored left-right, each with probability 1/2
  double label_dropout{0.0};     ///< probability of hiding an image's label (Ho and Salimans 2022, Algorithm 1)
  double beside_noise{0.0};      ///< largest deviation of the noise on images beside x (Ho et al. 2022, Section 4.2)
  std::size_t accumulate{1};     ///< parts of a batch that go through the network one by one, to need less memory
  std::vector<std::string> frozen{};   ///< prefixes of the names of parameters that do not change
  std::filesystem::path checkpoint{};  ///< where training saves itself; nowhere if empty
  std::size_t checkpoint_every{0};     ///< steps between two saves; 0 for once per epoch
  std::size_t patience{0};  ///< epochs without a lower test loss after which training ends with the best; 0 for never

  /// The average of the parameters that `ema` or `ema_decay` specifies.
  SOFTSCORE_SHARED ema_schedule average() const {
    if (ema_decay > 0.0) return {.form = ema_form::warmup, .most = ema_decay};
    return ema;
  }

  /// Throws `error` for the first invalid value.
  SOFTSCORE_SHARED void check() const {
    require(epochs >= 1, "epochs", epochs, "at least 1");
    require(batch_size >= 1, "batch_size", batch_size, "at least 1");
    require(std::isfinite(learning_rate) && learning_rate > 0.0, "learning_rate", learning_rate, "a positive number");
    require(max_grad_norm > 0.0, "max_grad_norm", max_grad_norm, "above 0");
    require(std::isfinite(end_factor) && end_factor >= 0.0, "end_factor", end_factor, "at least 0 and finite");
    require(learning_rate_decay == rate_decay::constant || decay_steps == 0 || decay_steps > warmup_steps,
            "decay_steps", decay_steps, "0, or more than warmup_steps, for the rate to decay");
    require(std::isfinite(weight_decay) && weight_decay >= 0.0, "weight_decay", weight_decay, "at least 0 and finite");
    require(ema_decay >= 0.0 && ema_decay < 1.0, "ema_decay", ema_decay, "at least 0 and below 1");
    require(ema_decay == 0.0 || ema.form == ema_form::none, "ema_decay", ema_decay, "0 where ema has a form");
    ema.check();
    require(label_dropout >= 0.0 && label_dropout < 1.0, "label_dropout", label_dropout, "at least 0 and below 1");
    require(beside_noise >= 0.0 && beside_noise <= 1e6, "beside_noise", beside_noise, "between 0 and 1e6");
    require(!(times.stratified && times.sobol), "times.sobol", "true", "false where the times are stratified");
    require(accumulate >= 1, "accumulate", accumulate, "at least 1");
    require(batch_size % accumulate == 0, "accumulate", accumulate, "a divisor of the batch size");
  }
};

}  // namespace softscore
