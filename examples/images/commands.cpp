#include "commands.hpp"

#include <algorithm>
#include <cstdio>
#include <system_error>
#include <utility>

#include <softscore/core/error.hpp>
#include <softscore/core/number_text.hpp>
#include <softscore/io/npy.hpp>
#include <softscore/io/png.hpp>
#include <softscore/io/tiled.hpp>
#include <softscore/train/progress_bar.hpp>

#include "common/files.hpp"
#include "common/image_sets.hpp"
#include "common/interrupt.hpp"
#include "common/numbers.hpp"
#include "data.hpp"
#include "drawing.hpp"
#include "model.hpp"
#include "results.hpp"

namespace images {
namespace {

void require_batch(const softscore::training_options& options, const softscore::data_set& data) {
  const std::size_t images = data.training.extent().images;
  softscore::require(options.batch_size <= images, "--batch-size", options.batch_size,
                     "at most the number of training images, " + std::to_string(images));
}

// Removes the labels if the network takes none.
void fit_labels(softscore::data_set& data, std::size_t classes) {
  if (classes > 0) return;
  data.training.labels.clear();
  data.test.labels.clear();
}

// Trains (from `from` on, if given), saves, and writes the results.
void train_and_show(model& m, run_settings settings, const results_plan& plan, const softscore::data_set& data,
                    std::size_t threads, std::optional<double> minutes,
                    const std::optional<softscore::training_state>& from) {
  const common::held_folder held{plan.out};
  require_results_writable(plan.out);
  common::require_writable(plan.checkpoint);
  settings.training.checkpoint = plan.checkpoint;
  const softscore::checkpoint_extras extras{to_metadata(settings), {}};

  softscore::tbb_backend backend{threads};
  softscore::progress_bar bar;
  bool out_of_time = false;
  std::size_t steps_done = 0;
  std::string computed;
  const auto watch = [&](const softscore::training_progress& p) {
    bar(p);
    steps_done = p.step;
    if (computed.empty()) computed = p.computed;
    out_of_time = minutes && p.seconds >= 60.0 * *minutes;
    return !common::interrupted() && !out_of_time;
  };
  const auto result = m.train(backend, data, settings.training, watch, from, extras);
  if (result.stopped && !out_of_time)
    throw common::stopped_by_user{"stopped after step " + std::to_string(steps_done) +
                                  "; go on with: images resume --checkpoint " + plan.checkpoint.string()};
  write_results(backend, m, settings, plan, data, {result.losses, result.test_losses, result.seconds, computed});
}

// The network of a run: a new one, or the one of --from for images of this size.
opened_model begin(const train_command& command, const softscore::shape& image, std::size_t classes) {
  if (command.from.empty()) {
    run_settings settings;
    settings.scheduler = parse_schedule("--schedule", command.schedule);
    settings.network = network_for(command.network, image, classes);
    require_size(settings.network, image, command.data);
    model made{settings.network, settings.scheduler};
    return {std::move(made), std::move(settings), {}};
  }
  auto opened = open_model(command.from);
  require_size(opened.settings.network, image, command.data);
  opened.made = resized(std::move(opened.made), opened.settings.scheduler, image);
  opened.settings.network = opened.made.network();
  const std::size_t known = opened.settings.network.label_count();
  softscore::require(known == 0 || classes <= known, "the number of classes in " + command.data, classes,
                     "at most that of the network in " + command.from.string() + ", " + std::to_string(known));
  return opened;
}

}  // namespace

void run(train_command command) {
  auto& plan = command.results;
  auto& options = command.training;
  options.check();
  std::error_code ignored;
  softscore::require(command.overwrite || !std::filesystem::is_regular_file(plan.checkpoint, ignored), "the checkpoint",
                     plan.checkpoint.string(),
                     "a file that is not there yet, unless --overwrite is given (images resume continues one)");
  auto read = load_images(command.data, command.images, command.test_images);
  auto& data = read.set;
  if (!command.labels) read.classes.clear();
  require_batch(options, data);
  auto begun = begin(command, data.training.extent().with_images(1), read.classes.size());
  auto& settings = begun.settings;
  const std::size_t classes = settings.network.label_count();
  fit_labels(data, classes);
  softscore::require(classes == 0 || !read.classes.empty(), "--data", command.data,
                     "a folder of images with labels, since the network in " + command.from.string() + " takes them");
  softscore::require(classes > 0 || !command.label_dropout, "--label-dropout", command.label_dropout.value_or(0.0),
                     "left out, since there are no labels");
  options.label_dropout = classes > 0 ? command.label_dropout.value_or(0.1) : 0.0;
  options.check();
  options.times = {.indices = settings.scheduler.chain_steps(), .stratified = true};
  options.pixels = settings.scheduler.pixels;
  settings.data = command.data;
  settings.images = command.images;
  settings.test_images = command.test_images;
  settings.training = options;
  if (classes > 0) settings.classes = read.classes;
  settings.fingerprint = common::fingerprint(data);
  check_plan(plan.sampling, settings);
  train_and_show(begun.made, settings, plan, data, command.threads, command.minutes, {});
}

void run(resume_command command) {
  auto& plan = command.results;
  auto opened = open_model(plan.checkpoint);
  auto& settings = opened.settings;
  softscore::require(opened.state.has_value(), "--checkpoint", plan.checkpoint.string(),
                     "a file that images train wrote (train --from begins with a folder of diffusers)");
  if (command.data) settings.data = *command.data;
  if (command.epochs) {
    softscore::require(*command.epochs >= settings.training.epochs, "--epochs", *command.epochs,
                       "at least the " + std::to_string(settings.training.epochs) + " of the checkpoint");
    settings.training.epochs = *command.epochs;
  }
  plan.sampling.seed = settings.training.seed;
  if (plan.out.empty()) plan.out = plan.checkpoint.parent_path();
  if (plan.out.empty()) plan.out = ".";
  check_plan(plan.sampling, settings);
  auto read = load_images(settings.data, settings.images, settings.test_images);
  common::require_trained_on(read.set, settings.fingerprint, plan.checkpoint);
  require_batch(settings.training, read.set);
  fit_labels(read.set, settings.network.label_count());
  train_and_show(opened.made, settings, plan, read.set, command.threads, {}, std::move(opened.state));
}

void run(const sample_command& command) {
  const std::string end = command.out.extension().string();
  const bool picture = end == ".png";
  softscore::require(picture || end == ".npy", "--out", command.out.string(), "a file that ends in .npy or .png");
  const auto opened = open_model(command.checkpoint);
  const auto plan = check_plan(command.sampling, opened.settings);
  common::require_writable(command.out);
  softscore::tbb_backend backend{command.threads};
  const auto drawn = draw(backend, opened.made, opened.settings, plan, "the same command draws the same images");
  if (picture)
    softscore::write_png(command.out, softscore::tiled(drawn.images, columns_of(plan)));
  else
    softscore::write_npy(command.out, drawn.images);
  std::printf("%s: %zu images by %s, %zu network evaluations each\n", command.out.c_str(), plan.asked.count,
              plan.asked.sampler.c_str(), drawn.nfe);
}

void run(const show_command& command) {
  const auto opened = open_model(command.checkpoint);
  const auto& s = opened.settings;
  const auto tell = [](const char* name, const std::string& value) { std::printf("%-22s %s\n", name, value.c_str()); };
  const auto image = opened.made.image();
  tell("model", command.checkpoint.string());
  tell("image",
       std::to_string(image.channels) + " x " + std::to_string(image.height) + " x " + std::to_string(image.width));
  tell("parameters", common::grouped(opened.made.parameter_count()));
  std::string names;
  for (std::size_t k = 0; k < s.classes.size(); ++k) names += (k > 0 ? ", " : "") + s.classes[k];
  const std::size_t classes = s.network.label_count();
  tell("classes", classes == 0 ? "none" : std::to_string(classes) + (names.empty() ? "" : ": " + names));
  if (!opened.state) return;
  tell("data", s.data);
  tell("steps done", std::to_string(opened.state->losses.size()) + ", of " + std::to_string(s.training.epochs) +
                         " epochs in batches of " + std::to_string(s.training.batch_size));
  tell("seed", std::to_string(s.training.seed));
  tell("averaged parameters", opened.state->average.empty() ? "no" : "yes");
  if (!opened.state->losses.empty())
    tell("loss of the last step", softscore::detail::fixed(opened.state->losses.back(), 6));
  for (std::size_t e = 0; e < opened.state->test_losses.size(); ++e)
    std::printf("  test loss after epoch %zu: %.5f\n", e + 1, opened.state->test_losses[e]);
}

void run(const save_command& command) {
  const auto opened = open_model(command.checkpoint);
  std::error_code ignored;
  softscore::require(command.overwrite || !std::filesystem::exists(command.out / "model_index.json", ignored), "--out",
                     command.out.string(), "a folder without a model, unless --overwrite is given");
  common::make_folder(command.out);
  opened.made.save(command.out);
  std::printf("%s: a folder for diffusers, with the %s\n", command.out.c_str(),
              opened.state && !opened.state->average.empty() ? "averaged parameters" : "parameters");
}

}  // namespace images
