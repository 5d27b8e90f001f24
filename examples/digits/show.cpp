#include <cstdio>
#include <string>

#include <softscore/core/error.hpp>
#include <softscore/core/number_text.hpp>

#include "checkpoints.hpp"
#include "commands.hpp"
#include "common/files.hpp"
#include "corruption_picture.hpp"
#include "data.hpp"
#include "judging.hpp"
#include "results.hpp"

namespace digits {
namespace {

void tell(const char* name, const std::string& value) { std::printf("%-22s %s\n", name, value.c_str()); }

void tell_times(const model& m) {
  for (const double time : {0.0, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 1.0})
    std::printf("  time %-5g %s\n", time, m.describe(time).c_str());
}

void tell_checkpoint(const loaded_model& loaded, const std::filesystem::path& path) {
  const auto& s = loaded.about.settings;
  const auto& image = loaded.about.image;
  tell("checkpoint", path.string());
  tell("recipe", s.recipe + " (" + std::string{find_recipe(s.recipe).about} + ")");
  tell("data", s.data.empty() ? "built-in stroke digits" : s.data);
  tell("image",
       std::to_string(image.channels) + " x " + std::to_string(image.height) + " x " + std::to_string(image.width));
  tell("network",
       network_text(s.network) + " (" + std::to_string(loaded.made->network().parameter_count()) + " parameters)");
  if (!s.objective.empty()) tell("objective", s.objective);
  tell("steps done", std::to_string(loaded.state.losses.size()) + ", of " + std::to_string(s.training.epochs) +
                         " epochs in batches of " + std::to_string(s.training.batch_size));
  tell("seed", std::to_string(s.training.seed));
  tell("averaged parameters", loaded.state.average.empty() ? "no" : "yes");
  if (!loaded.state.losses.empty())
    tell("loss of the last step", softscore::detail::fixed(loaded.state.losses.back(), 6));
  for (std::size_t e = 0; e < loaded.state.test_losses.size(); ++e)
    std::printf("  test loss after epoch %zu: %.5f\n", e + 1, loaded.state.test_losses[e]);
}

void show_recipe(const show_command& command) {
  const auto data = load_data(command.settings);
  auto m = make_model(command.settings, data.training.extent());
  tell("recipe", command.settings.recipe + " (" + std::string{find_recipe(command.settings.recipe).about} + ")");
  tell_times(*m);
  if (command.results.out.empty()) return;
  make_folder(command.results.out);
  softscore::tbb_backend backend{command.threads};
  write_picture(command.results.out, corruption_picture(backend, *m, data.training.pixels));
  std::printf("%s: what the corruption does to the data\n", (command.results.out / "corruption.png").c_str());
}

}  // namespace

void run(show_command command) {
  auto& plan = command.results;
  if (plan.checkpoint.empty()) {
    show_recipe(command);
    return;
  }
  auto loaded = load_checkpoint(plan.checkpoint);
  auto& settings = loaded.about.settings;
  const auto& entry = find_recipe(settings.recipe);
  plan.sampling.sampler = command.sampler.value_or(std::string{entry.sampler});
  plan.sampling.steps = command.steps.value_or(entry.steps);
  loaded.made->check_sampler(plan.sampling.sampler);
  tell_checkpoint(loaded, plan.checkpoint);
  tell_times(*loaded.made);
  if (plan.out.empty()) return;
  if (!command.settings.data.empty()) settings.data = command.settings.data;
  const auto data = load_data(settings);
  softscore::require(data.training.extent().with_images(1) == loaded.about.image, "the shape of the images",
                     data.training.extent(), "that of the checkpoint's images");
  require_trained_on(data, loaded.about.fingerprint, plan.checkpoint);
  softscore::require(settings.training.batch_size <= data.training.extent().images,
                     "the batch in " + plan.checkpoint.string(), settings.training.batch_size,
                     "at most the number of training images");
  if (!plan.judge.empty()) require_judge(plan.judge, data.training.extent());
  const held_folder held{plan.out};
  require_results_writable(plan.out);
  softscore::tbb_backend backend{command.threads};
  write_results(backend, *loaded.made, settings, plan, data, {loaded.state.losses, loaded.state.test_losses, 0.0});
}

}  // namespace digits
