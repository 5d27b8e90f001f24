#include "command_line.hpp"

#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include <softscore/core/error.hpp>
#include <softscore/schedule/schedule_file.hpp>

#include "commands.hpp"
#include "common/chart.hpp"
#include "common/flags.hpp"
#include "old_names.hpp"

namespace digits {
namespace {

void sampling_flags(flags& f, sampling_plan& plan, std::optional<std::string>& sampler,
                    std::optional<std::size_t>& steps) {
  f.word("--sampler", "NAME", sampler,
         "ddpm, ddim, naive, momentum, probability_flow, alternating, heun, cold or naive_cold, as far as the recipe "
         "allows (the recipe's)");
  f.whole("--steps", steps, "steps of the sampler from time 1 to time 0 (the recipe's)", 1, 1000000);
  f.whole("--count", plan.count, "images to draw (" + std::to_string(plan.count) + ")", 1, 10000000);
  f.whole("--sample-batch-size", plan.batch_size,
          "images that go through the network together; the result does not depend on it (" +
              std::to_string(plan.batch_size) + ")",
          1, 100000);
}

void judge_flag(flags& f, std::filesystem::path& judge) {
  f.word("--features", "FILE", judge,
         "a classifier of the program judge, such as examples/judge/mnist.safetensors: the report also compares its "
         "features");
}

std::string recipe_help() {
  std::string text;
  for (const auto& entry : all_recipes())
    text += (text.empty() ? "" : "; ") + std::string{entry.name} + ": " + std::string{entry.about};
  return text;
}

// The flags of train, show and demo for their data.
void data_flags(flags& f, run_settings& settings) {
  f.word("--data", "DIR", settings.data, "folder of MNIST's four IDX files, plain or .gz (built-in stroke digits)");
  f.whole("--images", settings.images, "training images: the first N of the data, or N stroke digits (all; 10000)", 1,
          10000000);
  f.whole("--side", settings.side, "side of the stroke digits in pixels (28)", 12, 256);
}

// Values that the recipe decides unless the command line gives them.
struct train_choices {
  std::optional<std::size_t> epochs{}, batch_size{}, every{}, warmup_steps{};
  std::optional<double> learning_rate{}, ahead{};
  std::optional<std::string> sampler{}, objective{};
  std::optional<std::size_t> steps{};
  std::uint64_t seed{};
  std::string network{"small"};
  std::filesystem::path out{}, checkpoint{}, schedule{};
};

train_command complete(train_command command, const train_choices& chosen) {
  const auto& entry = find_recipe(command.settings.recipe);
  auto& s = command.settings;
  s.network = parse_network("--network", chosen.network);
  s.training = entry.training();
  softscore::require(!chosen.ahead || entry.looks_ahead, "--ahead", chosen.ahead.value_or(0.0),
                     "left out, for the loss of the recipe " + s.recipe + " does not look ahead");
  softscore::require(!chosen.objective || entry.looks_ahead, "--objective", chosen.objective.value_or(""),
                     "left out, for the recipe " + s.recipe + " has a loss of its own");
  if (entry.looks_ahead) s.objective = parse_objective("--objective", chosen.objective.value_or("soft"));
  softscore::require(!chosen.ahead || s.objective != "naive", "--ahead", chosen.ahead.value_or(0.0),
                     "left out, for the naive loss does not look ahead");
  s.ahead = s.objective == "naive" ? 0.0 : chosen.ahead.value_or(entry.ahead);
  if (!chosen.schedule.empty()) {
    softscore::require(entry.takes_schedule, "--schedule", chosen.schedule.string(),
                       "left out, for the recipe " + s.recipe + " has a schedule of its own");
    s.schedule = softscore::read_schedule(chosen.schedule).schedule;
  }
  s.training.seed = chosen.seed;
  s.training.epochs = chosen.epochs.value_or(s.training.epochs);
  s.training.batch_size = chosen.batch_size.value_or(s.training.batch_size);
  s.training.learning_rate = chosen.learning_rate.value_or(s.training.learning_rate);
  s.training.warmup_steps = chosen.warmup_steps.value_or(s.training.warmup_steps);
  s.training.checkpoint_every = chosen.every.value_or(0);
  auto& r = command.results;
  r.out = chosen.out.empty() ? std::filesystem::path{"out"} / s.recipe : chosen.out;
  r.checkpoint = chosen.checkpoint.empty() ? r.out / "checkpoint.safetensors" : chosen.checkpoint;
  r.sampling.sampler = chosen.sampler.value_or(std::string{entry.sampler});
  r.sampling.steps = chosen.steps.value_or(entry.steps);
  r.sampling.seed = chosen.seed;
  return command;
}

prior_choice parse_prior(const std::string& flag, const std::string& name) {
  softscore::require(name == "color" || name == "corrupted_color", flag,
                     name.empty() ? "empty" : softscore::detail::printable(name, 80), "color or corrupted_color");
  return name == "color" ? prior_choice::color : prior_choice::corrupted_color;
}

}  // namespace

int run_command_line(int count, char** arguments) {
  CLI::App all{"Trains diffusion models of digits under four corruptions, draws from them and shows what it did."};
  all.name("digits");
  all.require_subcommand(1);
  std::function<void()> act;

  flags train{all, "train", "train a model, draw from it and write a report"};
  train_command training;
  train_choices chosen;
  train.word("--recipe", "NAME", training.settings.recipe, recipe_help() + " (blur)");
  data_flags(train, training.settings);
  train.word(
      "--network", "NAME", chosen.network,
      "small (291,217 parameters on MNIST), large (542,161), widths such as 8,16,8, or the levels of a U-Net such as "
      "unet:16,32,32 (small)");
  train.whole("--epochs", chosen.epochs, "passes over the training images (5)", 1, 1000000);
  train.whole("--batch-size", chosen.batch_size, "images a step; what is left over in an epoch is dropped (128)", 1,
              1000000);
  train.above_zero("--learning-rate", chosen.learning_rate, "learning rate of Adam (0.0002)");
  train.whole("--warmup-steps", chosen.warmup_steps, "steps over which the rate grows from 0 (the recipe's)", 0);
  train.zero_or_above("--ahead", chosen.ahead,
                      "blur and mask: the loss compares images as they are so much earlier than time t (the recipe's)");
  train.word("--objective", "NAME", chosen.objective,
             "blur and mask: soft compares images under the corruption, naive as they are, the baseline (soft)");
  train.word("--schedule", "FILE", chosen.schedule,
             "blur and mask: a schedule that schedule_search wrote, for images of this size (the recipe's)");
  train.whole("--seed", chosen.seed, "of weights, order, times, noise and samples (0)", 0,
              std::numeric_limits<std::size_t>::max());
  train.threads(training.threads);
  training.results.sampling.count = 256;
  sampling_flags(train, training.results.sampling, chosen.sampler, chosen.steps);
  judge_flag(train, training.results.judge);
  train.word("--out", "DIR", chosen.out, "folder for the report, pictures, losses and samples (out/RECIPE)");
  train.word("--checkpoint", "FILE", chosen.checkpoint,
             "where training saves itself (checkpoint.safetensors in that folder)");
  train.whole("--checkpoint-every", chosen.every, "steps between two savings (once an epoch)");
  train.above_zero("--minutes", training.minutes, "stop training after so many minutes and draw from what there is");
  train.app().add_flag("--overwrite", training.overwrite, "replace a checkpoint that is there already");
  train.app().callback([&] {
    if (!training.settings.data.empty()) train.leave_out({"--side"}, "for the images in --data have their own");
    act = [&] { run(complete(training, chosen)); };
  });

  flags resume{all, "resume", "continue a training run from its checkpoint, to the same bits as if it had not stopped"};
  resume_command resumed;
  resume.word("--checkpoint", "FILE", resumed.results.checkpoint, "the checkpoint; settings come from it")->required();
  resume.whole("--epochs", resumed.epochs, "train for more epochs than first asked for (the checkpoint's)", 1, 1000000);
  resume.word("--data", "DIR", resumed.data, "where the same images lie now (the checkpoint's)");
  resume.threads(resumed.threads);
  resumed.results.sampling.count = 256;
  sampling_flags(resume, resumed.results.sampling, resumed.sampler, resumed.steps);
  judge_flag(resume, resumed.results.judge);
  resume.word("--out", "DIR", resumed.results.out, "folder for the report (the checkpoint's)");
  resume.app().callback([&] { act = [&] { run(resumed); }; });

  flags sample{all, "sample", "draw images from a checkpoint"};
  sample_command sampled;
  sample.word("--checkpoint", "FILE", sampled.checkpoint, "what to draw from")->required();
  sampling_flags(sample, sampled.sampling, sampled.sampler, sampled.steps);
  sample.whole("--seed", sampled.sampling.seed, "image i of a seed is the same whatever else is drawn (0)", 0,
               std::numeric_limits<std::size_t>::max());
  sample.text(
      "--prior", "NAME", [&](const std::string& name) { sampled.prior = parse_prior("--prior", name); },
      "blur: start from one random color as in clean images (color), or from what the blur leaves of one "
      "(corrupted_color) (the distribution that training fitted)");
  sample.word("--data", "DIR", sampled.data, "with --prior, where the same images lie now (the checkpoint's)");
  sample.threads(sampled.threads);
  sample
      .word("--out", "FILE", sampled.out,
            "a .npy file (float32, images x 1 x height x width, in [0, 1] but not clipped) or a .png")
      ->required();
  sample.app().callback([&] {
    if (sampled.prior == prior_choice::trained) sample.leave_out({"--data"}, "for without --prior no images are read");
    act = [&] { run(sampled); };
  });

  flags show{all, "show", "say what a checkpoint holds, or what a recipe does to its data"};
  show_command shown;
  show.word("--checkpoint", "FILE", shown.results.checkpoint,
            "a checkpoint to describe; with --out its report is made anew");
  show.word("--recipe", "NAME", shown.settings.recipe, "without a checkpoint, the recipe to describe (blur)");
  data_flags(show, shown.settings);
  shown.results.sampling.count = 256;
  sampling_flags(show, shown.results.sampling, shown.sampler, shown.steps);
  show.whole("--seed", shown.results.sampling.seed, "of the samples in the report (0)", 0,
             std::numeric_limits<std::size_t>::max());
  show.threads(shown.threads);
  judge_flag(show, shown.results.judge);
  show.word("--out", "DIR", shown.results.out, "folder for pictures and report (none are made)");
  show.app().callback([&] {
    if (!shown.results.checkpoint.empty())
      show.leave_out({"--recipe", "--images", "--side"}, "for the checkpoint decides it");
    else
      show.leave_out({"--sampler", "--steps", "--count", "--sample-batch-size", "--seed"},
                     "for without a checkpoint nothing is drawn");
    if (shown.results.out.empty())
      show.leave_out({"--steps", "--count", "--sample-batch-size", "--seed", "--features"},
                     "for without --out nothing is drawn");
    if (!shown.settings.data.empty()) show.leave_out({"--side"}, "for the images in --data have their own");
    act = [&] { run(shown); };
  });

  flags score{all, "score", "print how far images are from the test images, beside two controls"};
  score_command scored;
  score.app()
      .add_option_function<std::string>(
          "FILE", [&](const std::string& file) { scored.file = file; }, "a .npy file of digits sample")
      ->required()
      ->type_name("");
  score.word("--data", "DIR", scored.data, "folder of MNIST's four IDX files (built-in stroke digits)");
  score.word(
      "--features", "FILE", scored.features,
      "a classifier of the program judge, such as examples/judge/mnist.safetensors, or pytorch-fid's Inception as a "
      "safetensors file: also compare its features");
  score.threads(scored.threads);
  score.whole("--images", scored.images,
              "training images to use: the first N of the data, or N stroke digits (all; 10000)");
  score.app().callback([&] { act = [&] { run(scored); }; });

  flags demo{all, "demo", "train a small blur model on built-in digits, draw from it and write a report"};
  demo_command demonstrated;
  demo.word("--data", "DIR", demonstrated.data, "train on MNIST's four IDX files instead, plain or .gz");
  demo.word("--out", "DIR", demonstrated.out, "folder for the report (out/demo, where it replaces the last demo)");
  demo.above_zero("--minutes", demonstrated.minutes,
                  "stop training after so many minutes (" + short_number(demo_minutes) + ")");
  demo.whole("--seed", demonstrated.seed, "of weights, order, times, noise and samples (0)", 0,
             std::numeric_limits<std::size_t>::max());
  demo.threads(demonstrated.threads);
  demo.app().add_flag("--overwrite", demonstrated.overwrite, "replace a checkpoint that is there already");
  demo.app().add_flag("--quick", demonstrated.quick, "a few seconds with a tiny network, to see that everything works");
  demo.app().callback([&] { act = [&] { run(demonstrated); }; });

  all.footer(
      "digits COMMAND --help explains the flags of a command. Exit code 2: it cannot be done; 130: interrupted.");
  std::vector<std::string> words;
  for (int i = 1; i < count; ++i) words.push_back(with_new_name(arguments[i]));
  return parse_and_run(all, std::move(words), [&] { act(); });
}

}  // namespace digits
