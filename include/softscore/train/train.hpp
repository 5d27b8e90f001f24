#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <softscore/backend/operations.hpp>
#include <softscore/core/config.hpp>
#include <softscore/data/labeled_images.hpp>
#include <softscore/nn/concept.hpp>
#include <softscore/train/checkpoint.hpp>
#include <softscore/train/early_stopping.hpp>
#include <softscore/train/saved_options.hpp>
#include <softscore/train/trainer.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// What an observer of training receives after every step.
struct training_progress {
  std::size_t step{}, steps{};        ///< steps done and to do
  std::size_t epoch{}, epochs{};      ///< the epoch of this step, from 1 on
  double loss{};                      ///< of the batch
  double images_per_second{};         ///< since the start of this call
  double seconds{}, seconds_left{};   ///< elapsed, and left at this pace
  std::optional<double> test_loss{};  ///< after the last step of an epoch, if there are test images
  std::string_view computed{};        ///< a description of how the network is computed, or empty; valid during the call
};

/// What `train` returns.
struct training_result {
  std::vector<float> losses;        ///< of every step
  std::vector<double> test_losses;  ///< after every epoch
  double seconds{};                 ///< spent in this call
  bool stopped{};                   ///< whether the observer stopped it
  std::size_t best_epoch{};         ///< with `patience`, the epoch whose parameters the network has; 0 for the last
};

/// Does nothing. An observer of training is called with a `training_progress` after every step; if it returns false,
/// training stops.
struct no_training_observer {
  void operator()(const training_progress&) const {}
};

/// What a checkpoint holds besides the state and the options of training. A setting with the name of an option replaces
/// it.
struct checkpoint_extras {
  checkpoint_settings settings{};
  std::vector<named_tensor> tensors{};
};

namespace detail {
template <class Observer>
concept ObservesTraining = std::invocable<Observer&, const training_progress&>;

// Whether `train` accepts these types.
template <class Be, class C, class D, class O, class Observer>
concept TrainingArguments =
    Backend<Be, float> && Trainable<D, Be, float> && Corruption<C, Be, float> && Objective<O, C, D, Be, float> &&
    Network<typename D::network_type, Be, float> && ObservesTraining<Observer>;

// If it does not, one sentence says which argument is wrong.
template <class Be, class C, class D, class O, class Observer>
constexpr void require_training_arguments() {
  if constexpr (!Backend<Be, float>) {
    static_assert(Backend<Be, float>, "softscore: the first argument of train is not a backend");
  } else if constexpr (Corruption<D, Be, float>) {
    static_assert(!Corruption<D, Be, float>,
                  "softscore: the second argument of train is a corruption, but it must be the denoiser; the "
                  "corruption is the third");
  } else if constexpr (!OwnsNetwork<D>) {
    static_assert(OwnsNetwork<D>,
                  "softscore: the second argument of train is not a denoiser that owns a network, or is constant");
  } else if constexpr (!NetworkBackend<Be, float> && !Network<typename D::network_type, Be, float>) {
    static_assert(NetworkBackend<Be, float>,
                  "softscore: the first argument of train is not a backend that networks run on: it lacks an "
                  "operation of backend/operations.hpp");
  } else if constexpr (!Network<typename D::network_type, Be, float>) {
    static_assert(Network<typename D::network_type, Be, float>,
                  "softscore: the denoiser's network is not a network: it lacks a member that nn/concept.hpp names");
  } else if constexpr (!Trainable<D, Be, float>) {
    static_assert(Trainable<D, Be, float>,
                  "softscore: the second argument of train is not a denoiser that can be trained: it lacks predicts, "
                  "from_output, to_output or its workspace's network");
  } else if constexpr (!Corruption<C, Be, float>) {
    static_assert(Corruption<C, Be, float>,
                  "softscore: the third argument of train is not a corruption on this backend");
  } else if constexpr (!ObjectiveNeedsAreMet<O, C, D>) {
    require_needs_of_objective<O, C, D>();
  } else if constexpr (!Objective<O, C, D, Be, float>) {
    static_assert(Objective<O, C, D, Be, float>,
                  "softscore: the fourth argument of train is not an objective: it lacks workspace or evaluate");
  } else {
    static_assert(ObservesTraining<Observer>,
                  "softscore: the observer of train cannot be called with a training_progress");
  }
}

template <class Be, class C, class D, class O, class Observer>
training_result run_training(Be& be, D& denoiser, const C& corruption, O objective, const data_set& data,
                             const training_options& options, Observer& observer,
                             const std::optional<training_state>& from, const checkpoint_extras& extras) {
  using clock = std::chrono::steady_clock;
  const auto images = as_view(data.training.pixels);
  const auto test_images = as_view(data.test.pixels);
  data.training.check("training images");
  data.test.check("test images");
  trainer<Be, C, D, O> work{be, corruption, denoiser, std::move(objective), images, options, data.training.given()};
  if (test_images.extent().images > 0) {
    work.require_test_shape(test_images.extent());
    work.require_given(data.test.given(), test_images.extent(), "test images");
  }
  early_stopping stopping{options, test_images.extent().images};
  if constexpr (TrainsTogether<Be>)
    require(options.patience == 0, "patience", options.patience, "0 on backends that train together");
  if (from) work.restore(*from);

  checkpoint_settings settings = extras.settings;
  settings.merge(settings_of(options));
  const std::string computed = work.describe();
  const auto began = clock::now();
  const auto seconds_gone = [&] { return std::chrono::duration<double>(clock::now() - began).count(); };
  const std::size_t first = work.done();
  std::optional<std::size_t> saved;
  // If a disk fails, the caller should not lose the trained network too.
  const auto save_as = [&](const std::filesystem::path& path) {
    try {
      write_checkpoint(path, denoiser.network().layout(), work.state(), settings, extras.tensors);
    } catch (const error&) {
      work.finish();
      throw;
    }
  };
  if (from) stopping.restore(*from, work, denoiser.network().layout(), save_as);
  const auto save = [&] {
    if (options.checkpoint.empty() || saved == work.done()) return;
    save_as(options.checkpoint);
    saved = work.done();
  };
  const auto last_good = [&]() -> std::string {
    if (options.checkpoint.empty()) return "";
    const bool there = saved || (from && std::filesystem::exists(options.checkpoint));
    return there ? "; the last good checkpoint is " + options.checkpoint.string() : "; there is no checkpoint yet";
  };

  bool stopped = false;
  while (!stopped && work.done() < work.steps() && !stopping.ends(work.test_losses())) {
    training_progress progress;
    bool due = false, epoch_ends = false;
    try {
      progress.loss = work.step();
      epoch_ends = work.done() % work.steps_per_epoch() == 0;
      due = work.done() == work.steps() ||
            (options.checkpoint_every > 0 ? work.done() % options.checkpoint_every == 0 : epoch_ends) ||
            (stopping.active() && epoch_ends);
      if (due) work.require_finite();
      if (epoch_ends && test_images.extent().images > 0) {
        progress.test_loss = work.test(test_images, data.test.given());
        work.record_test_loss(*progress.test_loss);
      }
    } catch (const error& problem) {
      throw error(problem.what() + last_good());
    }
    if (due) save();
    if (epoch_ends) stopping.note(work, save_as);
    progress.step = work.done();
    progress.steps = work.steps();
    progress.epoch = (work.done() - 1) / work.steps_per_epoch() + 1;
    progress.epochs = options.epochs;
    progress.computed = computed;
    progress.seconds = seconds_gone();
    const double pace = progress.seconds / static_cast<double>(work.done() - first);
    progress.images_per_second = static_cast<double>(options.batch_size) / pace;
    progress.seconds_left = pace * static_cast<double>(work.steps() - work.done());
    if constexpr (std::convertible_to<std::invoke_result_t<Observer&, const training_progress&>, bool>)
      stopped = !observer(std::as_const(progress)) && work.done() < work.steps() && !stopping.ends(work.test_losses());
    else
      observer(std::as_const(progress));
  }
  if (stopped) {
    work.require_finite();
    save();
  }
  work.finish();
  const bool best = !stopped && !stopping.best().empty();
  if (best) denoiser.network().set_parameters(stopping.best());
  return {{work.losses().begin(), work.losses().end()},
          {work.test_losses().begin(), work.test_losses().end()},
          seconds_gone(),
          stopped,
          best ? best_epoch(work.test_losses()) : 0};
}
}  // namespace detail

/// Trains a denoiser's network on the training images and stores the result in the network. Continues from `from` if it
/// is given. Saves checkpoints as the options say, and when the observer stops it. With `patience` it ends early, and
/// the network gets the parameters of the epoch with the lowest test loss, unless the observer stops it; the state of
/// that epoch is in `best_checkpoint`. Throws `error` before any work for test images of another shape than the
/// training images; for labels, images beside x or features that are not one per image or that the network does not
/// accept; and if the network needs some that are missing. Later it throws, naming the step and the last good
/// checkpoint, if a loss or a test loss is not finite.
template <class Be, class C, class D, class O, class Observer = no_training_observer>
training_result train(Be& be, D&& denoiser, const C& corruption, O objective, const data_set& data,
                      const training_options& options, Observer&& observer = {},
                      const std::optional<training_state>& from = {}, const checkpoint_extras& extras = {}) {
  using denoiser_type = std::remove_reference_t<D>;
  static_assert(std::is_lvalue_reference_v<D> || !OwnsNetwork<denoiser_type>,
                "softscore: the denoiser to train is a temporary, with which its trained network would be lost");
  detail::require_training_arguments<Be, C, denoiser_type, O, Observer>();
  if constexpr (detail::TrainingArguments<Be, C, denoiser_type, O, Observer>)
    return detail::run_training(be, denoiser, corruption, std::move(objective), data, options, observer, from, extras);
  else
    return {};
}

}  // namespace softscore::inline SOFTSCORE_ABI
