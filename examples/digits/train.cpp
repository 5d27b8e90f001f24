#include <cstdio>
#include <string>
#include <utility>

#include <softscore/core/error.hpp>
#include <softscore/io/file_error.hpp>
#include <softscore/train/progress_bar.hpp>

#include "checkpoints.hpp"
#include "commands.hpp"
#include "common/files.hpp"
#include "common/interrupt.hpp"
#include "data.hpp"
#include "judging.hpp"
#include "memory.hpp"
#include "results.hpp"

namespace digits {
namespace {

// Returns the images if they and a step of training fit into memory; for stroke digits this is known before they are
// drawn.
softscore::data_set load_training_data(const run_settings& settings) {
  if (settings.data.empty()) require_memory(settings, stroke_digits_asked(settings));
  auto data = load_data(settings);
  require_memory(settings, data.training.extent());
  return data;
}

// Trains (from `from` on, if given), saves, and writes the results.
void train_and_show(model& m, run_settings settings, const results_plan& plan, const softscore::data_set& data,
                    const std::string& print, std::size_t threads, std::optional<double> minutes,
                    const std::optional<softscore::training_state>& from) {
  softscore::tbb_backend backend{threads};
  settings.training.checkpoint = plan.checkpoint;
  const auto extras = extras_of(settings, m, print);

  softscore::progress_bar bar;
  bool out_of_time = false;
  std::size_t steps_done = 0;
  std::string computed;
  const auto watch = [&](const softscore::training_progress& p) {
    bar(p);
    steps_done = p.step;
    if (computed.empty()) computed = p.computed;
    out_of_time = minutes && p.seconds >= 60.0 * *minutes;
    return !interrupted() && !out_of_time;
  };
  const auto result =
      m.train(backend, data, settings.training, {settings.ahead, settings.objective == "naive"}, watch, from, extras);
  if (result.stopped && !out_of_time) {
    throw stopped_by_user{"stopped after step " + std::to_string(steps_done) +
                          "; go on with: digits resume --checkpoint " + plan.checkpoint.string()};
  }
  write_results(backend, m, settings, plan, data, {result.losses, result.test_losses, result.seconds, computed});
}

}  // namespace

void require_no_checkpoint(const std::filesystem::path& checkpoint, bool overwrite) {
  std::error_code ignored;
  softscore::require(overwrite || !std::filesystem::is_regular_file(checkpoint, ignored), "the checkpoint",
                     checkpoint.string(),
                     "a file that is not there yet, unless --overwrite is given (digits resume continues one)");
}

void run(train_command command) {
  const auto& plan = command.results;
  command.settings.training.check();
  find_recipe(command.settings.recipe);
  require_no_checkpoint(plan.checkpoint, command.overwrite);
  const auto data = load_training_data(command.settings);
  const auto images = data.training.extent();
  softscore::require(command.settings.training.batch_size <= images.images, "--batch-size",
                     command.settings.training.batch_size,
                     "at most the number of training images, " + std::to_string(images.images));
  auto m = make_model(command.settings, images);
  m->check_sampler(plan.sampling.sampler);
  if (!plan.judge.empty()) require_judge(plan.judge, images);
  const held_folder held{plan.out};
  require_results_writable(plan.out);
  require_writable(plan.checkpoint);

  softscore::tbb_backend backend{command.threads};
  m->fit_prior(backend, data.training.pixels);
  train_and_show(*m, command.settings, plan, data, fingerprint(data), command.threads, command.minutes, {});
}

void run(resume_command command) {
  auto& plan = command.results;
  auto loaded = load_checkpoint(plan.checkpoint);
  auto& settings = loaded.about.settings;
  if (command.data) settings.data = *command.data;
  const std::size_t before = settings.training.epochs;
  if (command.epochs) {
    softscore::require(*command.epochs >= before, "--epochs", *command.epochs,
                       "at least the " + std::to_string(before) + " of the checkpoint");
    settings.training.epochs = *command.epochs;
  }
  const auto& entry = find_recipe(settings.recipe);
  plan.sampling.sampler = command.sampler.value_or(std::string{entry.sampler});
  plan.sampling.steps = command.steps.value_or(entry.steps);
  loaded.made->check_sampler(plan.sampling.sampler);
  if (plan.out.empty()) plan.out = plan.checkpoint.parent_path();
  if (plan.out.empty()) plan.out = ".";

  const auto data = load_training_data(settings);
  require_trained_on(data, loaded.about.fingerprint, plan.checkpoint);
  if (!plan.judge.empty()) require_judge(plan.judge, data.training.extent());
  const held_folder held{plan.out};
  require_results_writable(plan.out);
  require_writable(plan.checkpoint);
  train_and_show(*loaded.made, settings, plan, data, loaded.about.fingerprint, command.threads, {},
                 std::move(loaded.state));
}

}  // namespace digits
