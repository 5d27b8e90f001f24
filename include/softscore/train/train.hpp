#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <softscore/core/config.hpp>
#include <softscore/data/labelled_images.hpp>
#include <softscore/train/checkpoint.hpp>
#include <softscore/train/trainer.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// What an observer of training sees after every step.
struct training_progress {
  std::size_t step{}, steps{};        ///< steps done and to do
  std::size_t epoch{}, epochs{};      ///< the epoch of this step, from 1 on
  double loss{};                      ///< of the batch
  double images_per_second{};         ///< since the start of this call
  double seconds{}, seconds_left{};   ///< gone by, and to come at this pace
  std::optional<double> test_loss{};  ///< after the last step of an epoch, if there are test images
};

/// What `train` returns.
struct training_result {
  std::vector<float> losses;        ///< of every step
  std::vector<double> test_losses;  ///< after every epoch
  double seconds{};                 ///< spent in this call
  bool stopped{};                   ///< whether the observer stopped it
};

/// Looks on and does nothing. An observer of training is called with a `training_progress` after every step; one that
/// returns false stops it.
struct no_training_observer {
  void operator()(const training_progress&) const {}
};

/// What a checkpoint holds besides the state of training.
struct checkpoint_extras {
  checkpoint_settings settings{};
  std::vector<named_tensor> tensors{};
};

/// Trains a denoiser's network on the training images and gives the network the result. Continues from `from` where one
/// is given. Saves checkpoints as the options say, and when the observer stops it. Throws `error`, naming the step, the
/// batch and the last good checkpoint, if a loss is not finite.
template <class Be, class C, Trainable D, class O, class Observer = no_training_observer>
training_result train(Be& be, D& denoiser, const C& corruption, O objective, const data_set& data,
                      const training_options& options, Observer&& observer = {},
                      const std::optional<training_state>& from = {}, const checkpoint_extras& extras = {}) {
  using clock = std::chrono::steady_clock;
  const auto images = as_view(data.training.pixels);
  const auto test_images = as_view(data.test.pixels);
  trainer<Be, C, D, O> work{be, corruption, denoiser, std::move(objective), images, options};
  if (from) work.restore(*from);

  const auto began = clock::now();
  const auto seconds_gone = [&] { return std::chrono::duration<double>(clock::now() - began).count(); };
  const std::size_t first = work.done();
  std::optional<std::size_t> saved;
  // A failing disk must not cost the caller the trained network as well.
  const auto save = [&] {
    if (options.checkpoint.empty() || saved == work.done()) return;
    try {
      write_checkpoint(options.checkpoint, denoiser.network().layout(), work.state(), extras.settings, extras.tensors);
    } catch (const error&) {
      work.finish();
      throw;
    }
    saved = work.done();
  };
  const auto last_good = [&]() -> std::string {
    if (options.checkpoint.empty()) return "";
    const bool there = saved || (from && std::filesystem::exists(options.checkpoint));
    return there ? "; the last good checkpoint is " + options.checkpoint.string() : "; there is no checkpoint yet";
  };

  bool stopped = false;
  while (!stopped && work.done() < work.steps()) {
    training_progress progress;
    bool due = false;
    try {
      progress.loss = work.step();
      const bool epoch_ends = work.done() % work.steps_per_epoch() == 0;
      due = work.done() == work.steps() ||
            (options.checkpoint_every > 0 ? work.done() % options.checkpoint_every == 0 : epoch_ends);
      if (due) work.require_finite();
      if (epoch_ends && test_images.extent().images > 0) {
        progress.test_loss = work.test(test_images);
        work.record_test_loss(*progress.test_loss);
      }
    } catch (const error& problem) {
      throw error(problem.what() + last_good());
    }
    if (due) save();
    progress.step = work.done();
    progress.steps = work.steps();
    progress.epoch = (work.done() - 1) / work.steps_per_epoch() + 1;
    progress.epochs = options.epochs;
    progress.seconds = seconds_gone();
    const double pace = progress.seconds / static_cast<double>(work.done() - first);
    progress.images_per_second = static_cast<double>(options.batch) / pace;
    progress.seconds_left = pace * static_cast<double>(work.steps() - work.done());
    if constexpr (std::convertible_to<std::invoke_result_t<Observer&, const training_progress&>, bool>)
      stopped = !observer(std::as_const(progress)) && work.done() < work.steps();
    else
      observer(std::as_const(progress));
  }
  if (stopped) {
    work.require_finite();
    save();
  }
  work.finish();
  return {{work.losses().begin(), work.losses().end()},
          {work.test_losses().begin(), work.test_losses().end()},
          seconds_gone(),
          stopped};
}

}  // namespace softscore::inline SOFTSCORE_ABI
