#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/io/file_error.hpp>
#include <softscore/io/safetensors.hpp>
#include <softscore/nn/parameters.hpp>
#include <softscore/train/checkpoint.hpp>
#include <softscore/train/options.hpp>
#include <softscore/train/trainer.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The epoch with the lowest of the test losses, which are those of epoch 1, 2, ...; the first of several, or 0 if
/// there are none.
inline std::size_t best_epoch(std::span<const double> test_losses) {
  std::size_t best = 0;
  for (std::size_t k = 0; k < test_losses.size(); ++k)
    if (best == 0 || test_losses[k] < test_losses[best - 1]) best = k + 1;
  return best;
}

/// Where training with `patience` keeps the state of its best epoch: run.best.safetensors beside run.safetensors.
template <class = when_called>
std::filesystem::path best_checkpoint(const std::filesystem::path& checkpoint) {
  std::filesystem::path best = checkpoint;
  best.replace_extension();
  best += ".best";
  best += checkpoint.extension();
  return best;
}

namespace detail {

// Ends training once the test loss has not fallen for `patience` epochs (textbook), and keeps the parameters of the
// best epoch meanwhile.
class early_stopping {
 public:
  early_stopping(const training_options& options, std::size_t test_images)
      : patience_{options.patience}, checkpoint_{options.checkpoint} {
    require(patience_ == 0 || test_images > 0, "patience", patience_,
            "0 without test images, whose loss says when to stop");
  }

  bool active() const { return patience_ > 0; }

  // Whether the run ends after so many epochs.
  bool ends(std::span<const double> test_losses) const {
    return active() && test_losses.size() - best_epoch(test_losses) >= patience_;
  }

  // The best epoch's parameters of a run that continues from `from`: its own if it is that epoch's, else those of the
  // file. A run may have been killed before it wrote that file, so the first case writes it again. Throws `error` if
  // the file is missing or of another run.
  template <class Trainer, class Save, class Encoding = json_encoding>
  void restore(const training_state& from, const Trainer& work, const parameter_layout& layout, const Save& save_as) {
    if (!active()) return;
    const std::size_t each = work.steps_per_epoch(), epochs = from.losses.size() / each;
    require(from.test_losses.size() == epochs, "number of test losses in the saved state", from.test_losses.size(),
            "that of the epochs done, " + std::to_string(epochs) + ", to continue with patience");
    const std::size_t best = best_epoch({from.test_losses.data(), epochs});
    if (best == 0) return;
    if (best * each == from.losses.size()) {
      best_ = evaluated(from);
      if (!checkpoint_.empty()) save_as(best_checkpoint(checkpoint_));
      return;
    }
    const std::filesystem::path file = best_checkpoint(checkpoint_);
    std::error_code ignored;
    require(!checkpoint_.empty() && std::filesystem::exists(file, ignored), "checkpoint of the best epoch",
            checkpoint_.empty() ? std::string{"not named"} : "missing: " + file.string(),
            "there to continue with patience: epoch " + std::to_string(best) + " was the best");
    const training_state kept = read_checkpoint(basic_safetensors_file<Encoding>{file}, layout);
    require_file(kept.losses.size() == best * each, file.string(), "the number of steps", kept.losses.size(),
                 "that of the best epoch, " + std::to_string(best * each));
    require_file(kept.test_losses.size() == best &&
                     std::equal(kept.test_losses.begin(), kept.test_losses.end(), from.test_losses.begin()),
                 file.string(), "the run", "another one", "the one to continue: its test losses differ");
    best_ = evaluated(kept);
  }

  // After an epoch, when the checkpoint has been saved: a run that is killed in between continues from the best state.
  template <class Trainer, class Save>
  void note(Trainer& work, const Save& save_as) {
    const auto losses = work.test_losses();
    if (!active() || best_epoch(losses) != losses.size()) return;
    best_ = evaluated(work.state());
    if (!checkpoint_.empty()) save_as(best_checkpoint(checkpoint_));
  }

  // The parameters of the best epoch, if any are kept.
  const std::vector<float>& best() const { return best_; }

 private:
  static std::vector<float> evaluated(const training_state& s) { return s.average.empty() ? s.parameters : s.average; }

  std::size_t patience_;
  std::filesystem::path checkpoint_;
  std::vector<float> best_;
};

}  // namespace detail

}  // namespace softscore::inline SOFTSCORE_ABI
