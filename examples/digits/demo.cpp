#include <algorithm>
#include <string>

#include <softscore/data/idx.hpp>

#include "commands.hpp"

namespace digits {
namespace {

/// All numbers of the demo, chosen so that a clone is built, trained and drawn from in five minutes on two cores. Small
/// images use the time better: the network then sees a whole digit at once.
struct demo_plan {
  std::size_t side{20};
  std::size_t images{12800};
  std::vector<std::size_t> widths{16, 32, 32, 16};
  std::size_t epochs{40}, batch_size{128};
  std::size_t epochs_on_files{25};  ///< MNIST's images are larger
  double minutes{demo_minutes};     ///< training stops then, on a slower machine
  double learning_rate{1e-3}, ema_decay{0.999};
  double ahead{0.08};  ///< trains directly what a few steps reveal (decision 8)
  std::size_t warmup_steps{100};
  std::size_t steps{100}, count{256};
};

/// Takes a few seconds, to see that everything works; its samples are not digits yet.
constexpr std::size_t quick_side = 14;
demo_plan quick_plan() {
  return {.side = quick_side,
          .images = 512,
          .widths = {16, 16},
          .epochs = 4,
          .batch_size = 64,
          .epochs_on_files = 4,
          .warmup_steps = 10,
          .steps = 20,
          .count = 64};
}

}  // namespace

void run(const demo_command& command) {
  const demo_plan demo = command.quick ? quick_plan() : demo_plan{};
  train_command train;
  train.threads = command.threads;
  train.minutes = command.minutes.value_or(demo.minutes);
  // In its own folder a demo replaces the one before.
  train.overwrite = command.overwrite || command.out == demo_command{}.out;
  auto& s = train.settings;
  s.recipe = "blur";
  s.data = command.data;
  s.images = demo.images;
  // A set that is smaller than the plan is enough too.
  if (!s.data.empty()) s.images = std::min(s.images, softscore::read_mnist(s.data).training.extent().images);
  s.side = demo.side;
  s.network.widths = demo.widths;
  const auto& entry = find_recipe(s.recipe);
  s.ahead = demo.ahead;
  s.objective = "soft";
  s.training = entry.training();
  s.training.epochs = command.data.empty() ? demo.epochs : demo.epochs_on_files;
  s.training.batch_size = demo.batch_size;
  s.training.learning_rate = demo.learning_rate;
  s.training.ema_decay = demo.ema_decay;
  s.training.warmup_steps = demo.warmup_steps;
  s.training.seed = command.seed;
  train.results.out = command.out;
  train.results.checkpoint = command.out / "checkpoint.safetensors";
  train.results.title = "Digits out of a blur";
  train.results.sampling = {.sampler = std::string{entry.sampler},
                            .steps = demo.steps,
                            .count = demo.count,
                            .batch_size = 128,
                            .seed = command.seed};
  run(std::move(train));
}

}  // namespace digits
