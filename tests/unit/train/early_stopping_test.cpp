// Training that ends when the test loss no longer falls, and keeps its best epoch.
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include <softscore/softscore.hpp>
#include <softscore/train/early_stopping.hpp>

#include "catch.hpp"
#include "refusal.hpp"
#include "temporary_folder.hpp"

using namespace softscore;

namespace {

const corruption blurring{gaussian_blur{12}, two_stage{.level_max = 6.0}};

const data_set& few_digits() {
  static const data_set digits = stroke_digit_set(32, 16, 1, 12);
  return digits;
}
residual_denoiser<plain_cnn> small() { return residual_denoiser{plain_cnn{{16}, {1, 1, 12, 12}}}; }

// Steps so large that the test loss goes up and down from epoch to epoch.
training_options options() { return {.epochs = 40, .batch_size = 16, .learning_rate = 0.02, .ema_decay = 0.5}; }

struct outcome {
  training_result result;
  std::vector<float> parameters;
};
template <class Observer = no_training_observer>
outcome run(const training_options& with, Observer observer = {}, const std::optional<training_state>& from = {}) {
  serial_backend be;
  auto denoiser = small();
  const auto result = train(be, denoiser, blurring, soft_score_matching_loss{}, few_digits(), with, observer, from);
  return {result, {denoiser.network().parameters().begin(), denoiser.network().parameters().end()}};
}

training_state state_in(const std::filesystem::path& path) {
  return read_checkpoint(safetensors_file{path}, small().network().layout());
}

// A run without patience, and where patience of 2 epochs ends it.
struct reference {
  std::vector<double> losses = run(options()).result.test_losses;
  std::size_t end{}, best{};

  reference() {
    for (end = 1; end <= losses.size(); ++end) {
      best = best_epoch({losses.data(), end});
      if (end - best == 2) break;
    }
  }
};
const reference& known() {
  static const reference once;
  return once;
}

}  // namespace

TEST_CASE("The best epoch is the first with the lowest test loss") {
  const std::vector<double> losses{3.0, 2.0, 2.5, 2.0, 4.0};
  CHECK(best_epoch({}) == 0);
  CHECK(best_epoch({losses.data(), 1}) == 1);
  CHECK(best_epoch({losses.data(), 5}) == 2);
  CHECK(best_checkpoint("runs/blur.safetensors") == "runs/blur.best.safetensors");
  CHECK(best_checkpoint("runs.d/blur") == "runs.d/blur.best");
}

TEST_CASE("Training ends after so many epochs without a lower test loss, with the best epoch's parameters") {
  REQUIRE(known().end < 40);
  REQUIRE(known().best > 1);
  auto with = options();
  with.patience = 2;
  const auto stopped = run(with);
  CHECK(stopped.result.test_losses ==
        std::vector<double>(known().losses.begin(), known().losses.begin() + std::ptrdiff_t(known().end)));
  CHECK(stopped.result.best_epoch == known().best);
  CHECK_FALSE(stopped.result.stopped);
  // The rate is constant, so that a run of as many epochs as the best one's number is the beginning of this run.
  auto shorter = options();
  shorter.epochs = known().best;
  CHECK(stopped.parameters == run(shorter).parameters);
  // An observer that stops at the last step of such a run changes nothing.
  const auto both = run(with, [&](const training_progress& at) { return at.step < 2 * known().end; });
  CHECK_FALSE(both.result.stopped);
  CHECK(both.parameters == stopped.parameters);
  // Patience that is never lost changes nothing, except that the best epoch's parameters are taken.
  with.patience = 40;
  const auto whole = run(with);
  CHECK(whole.result.test_losses == known().losses);
  CHECK(whole.result.best_epoch == best_epoch({known().losses.data(), 40}));
  CHECK(run(options()).result.best_epoch == 0);
}

TEST_CASE("A run with patience continues from any epoch, and its best checkpoint is the best epoch's") {
  auto with = options();
  with.patience = 2;
  const auto expected = run(with);
  for (std::size_t epoch = 1; epoch <= known().end; ++epoch) {
    const temporary_folder folder;
    with.checkpoint = folder / "run.safetensors";
    run(with, [&](const training_progress& at) { return at.step < 2 * epoch; });
    // A run that is killed after it wrote its checkpoint has not written that of the best epoch.
    if (best_epoch(state_in(with.checkpoint).test_losses) == epoch)
      std::filesystem::remove(best_checkpoint(with.checkpoint));
    run(with, [&](const training_progress& at) { return at.step < 2 * epoch + 2; }, state_in(with.checkpoint));
    const auto rest = run(with, no_training_observer{}, state_in(with.checkpoint));
    CHECK(rest.parameters == expected.parameters);
    CHECK(rest.result.test_losses == expected.result.test_losses);
    CHECK(rest.result.best_epoch == known().best);
    const auto best = state_in(best_checkpoint(with.checkpoint));
    CHECK(best.average == expected.parameters);
    CHECK(best.test_losses.size() == known().best);
  }
}

TEST_CASE("Patience without test images, or without the best epoch's state, is refused in one sentence") {
  auto with = options();
  with.patience = 2;
  serial_backend be;
  auto denoiser = small();
  CHECK_REFUSED(train(be, denoiser, blurring, soft_score_matching_loss{}, data_set{few_digits().training, {}}, with),
                "patience is 2, but it must be 0 without test images, whose loss says when to stop");
  const temporary_folder folder;
  with.checkpoint = folder / "run.safetensors";
  run(with, [&](const training_progress& at) { return at.step < 2 * (known().best + 1); });
  const auto state = state_in(with.checkpoint);
  const auto best = best_checkpoint(with.checkpoint);
  const std::string rule = "there to continue with patience: epoch " + std::to_string(known().best) + " was the best";
  std::filesystem::rename(best, folder / "away");
  CHECK_REFUSED(run(with, no_training_observer{}, state),
                "checkpoint of the best epoch is missing: " + best.string() + ", but it must be " + rule);
  std::filesystem::copy(with.checkpoint, best);
  CHECK_REFUSED(run(with, no_training_observer{}, state),
                best.string() + ": the number of steps is " + std::to_string(2 * known().best + 2) +
                    ", but it must be that of the best epoch, " + std::to_string(2 * known().best));
  auto other = state;
  other.test_losses[0] += 1.0;
  std::filesystem::rename(folder / "away", best);
  CHECK_REFUSED(run(with, no_training_observer{}, other),
                best.string() + ": the run is another one, but it must be the one to continue: its test losses differ");
  other.test_losses.pop_back();
  CHECK_REFUSED(run(with, no_training_observer{}, other),
                "number of test losses in the saved state is " + std::to_string(known().best) +
                    ", but it must be that of the epochs done, " + std::to_string(known().best + 1) +
                    ", to continue with patience");
  with.checkpoint.clear();
  CHECK_REFUSED(run(with, no_training_observer{}, state),
                "checkpoint of the best epoch is not named, but it must be " + rule);
}
