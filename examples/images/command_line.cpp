#include "command_line.hpp"

#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "commands.hpp"
#include "common/flags.hpp"

namespace images {
namespace {

using common::flags;

void sampling_flags(flags& f, sampling_plan& plan) {
  f.word("--sampler", "NAME", plan.sampler, sampler_names() + " (ddim)");
  f.whole("--steps", plan.steps, "steps of the sampler (50)", 1, 1000000);
  f.whole("--count", plan.count, "images to draw (64)", 1, 10000000);
  f.whole("--sample-batch-size", plan.batch_size,
          "images that go through the network together; the result does not depend on it (64)", 1, 100000);
  f.word("--labels", "LIST", plan.labels, "classes to draw, by name or number: cat,dog; or all, or none (all)");
  f.zero_or_above("--guidance-scale", plan.guidance_scale,
                  "of classifier-free guidance; 1 is the label alone, more is clearer and less diverse (2)");
}

struct train_choices {
  std::string widths{"32,64,64"};
  bool no_labels{};
  std::filesystem::path checkpoint{};
};

void network_flags(flags& f, train_command& command, train_choices& chosen) {
  f.word("--widths", "LIST", chosen.widths, "channels of the network's levels, each half as large (32,64,64)");
  f.whole("--layers", command.network.layers, "residual blocks of a level (2)", 1, 16);
  f.whole("--attention", command.network.attention, "how many of the last levels have attention (1)", 0, 8);
  f.zero_or_above("--dropout", command.network.dropout, "share of activations that are dropped in training (0)");
  f.word("--schedule", "NAME", command.schedule, "linear or cosine: how the noise grows over 1000 steps (linear)");
  f.app().add_flag("--no-labels", chosen.no_labels, "train without the labels that the images have");
  f.word("--from", "PATH", command.from, "begin with the network of a checkpoint or of a folder of diffusers");
}

void training_flags(flags& f, train_command& command) {
  auto& o = command.training;
  f.whole("--epochs", o.epochs, "passes over the training images (10)", 1, 1000000);
  f.whole("--batch-size", o.batch_size, "images a step; what is left over in an epoch is dropped (64)", 1, 1000000);
  f.whole("--accumulate", o.accumulate, "parts of a batch that go through the network one by one, for less memory (1)",
          1, 1000000);
  f.above_zero("--learning-rate", o.learning_rate, "learning rate of Adam (0.0002)");
  f.whole("--warmup-steps", o.warmup_steps, "steps over which the rate grows from 0 (500)", 0);
  f.zero_or_above("--ema-decay", o.ema_decay, "share that the average of the parameters keeps at a step (0.999)");
  f.app().add_flag("--flip", o.random_flip, "mirror each image left-right with probability 1/2");
  f.zero_or_above("--label-dropout", command.label_dropout, "probability of hiding a label, for guidance (0.1)");
  f.whole("--seed", o.seed, "of weights, order, times, noise and samples (0)", 0,
          (std::numeric_limits<std::size_t>::max)());
  f.whole("--checkpoint-every", o.checkpoint_every, "steps between two savings (once an epoch)");
  f.above_zero("--minutes", command.minutes, "stop training after so many minutes and draw from what there is");
}

train_command complete(train_command command, const train_choices& chosen) {
  command.network.widths = parse_widths("--widths", chosen.widths);
  softscore::require(command.network.dropout < 1.0, "--dropout", command.network.dropout, "below 1");
  command.labels = !chosen.no_labels;
  auto& r = command.results;
  r.checkpoint = chosen.checkpoint.empty() ? r.out / "checkpoint.safetensors" : chosen.checkpoint;
  r.sampling.seed = command.training.seed;
  return command;
}

}  // namespace

int run_command_line(int count, char** arguments) {
  CLI::App all{"Trains a U-Net on a folder of images, draws from it, and reads and writes models of diffusers."};
  all.name("images");
  all.require_subcommand(1);
  std::function<void()> act;

  flags train{all, "train", "train a network, draw from it and write a report"};
  train_command training;
  training.training = {.epochs = 10,
                       .batch_size = 64,
                       .learning_rate = 2e-4,
                       .max_grad_norm = 1.0,
                       .warmup_steps = 500,
                       .ema_decay = 0.999};
  train_choices chosen;
  train
      .word(
          "--data", "DIR", training.data,
          "folder of PNG files, of sub-folders of them (whose names are the labels), of CIFAR-10's binary batches, or "
          "of MNIST's four IDX files")
      ->required();
  train.whole("--images", training.images, "training images to use, spread evenly over the set (all)", 1, 100000000);
  train.whole("--test-images", training.test_images,
              "most images to test with, from the set's own or a tenth of the others (500)", 0, 100000000);
  network_flags(train, training, chosen);
  training_flags(train, training);
  train.threads(training.threads);
  sampling_flags(train, training.results.sampling);
  train.word("--out", "DIR", training.results.out, "folder for the report, pictures, losses and samples (out/images)");
  train.word("--checkpoint", "FILE", chosen.checkpoint,
             "where training saves itself (checkpoint.safetensors in that folder)");
  train.app().add_flag("--overwrite", training.overwrite, "replace a checkpoint that is there already");
  train.app().callback([&] {
    if (!training.from.empty())
      train.leave_out({"--widths", "--layers", "--attention", "--dropout", "--schedule"},
                      "for the network in --from has its own");
    act = [&] { run(complete(training, chosen)); };
  });

  flags resume{all, "resume", "continue a training run from its checkpoint, to the same bits as if it had not stopped"};
  resume_command resumed;
  resumed.results.out.clear();
  resume.word("--checkpoint", "FILE", resumed.results.checkpoint, "the checkpoint; settings come from it")->required();
  resume.whole("--epochs", resumed.epochs, "train for more epochs than first asked for (the checkpoint's)", 1, 1000000);
  resume.word("--data", "DIR", resumed.data, "where the same images lie now (the checkpoint's)");
  resume.threads(resumed.threads);
  sampling_flags(resume, resumed.results.sampling);
  resume.word("--out", "DIR", resumed.results.out, "folder for the report (the checkpoint's)");
  resume.app().callback([&] { act = [&] { run(resumed); }; });

  flags sample{all, "sample", "draw images from a checkpoint or a folder of diffusers"};
  sample_command sampled;
  sample.word("--checkpoint", "PATH", sampled.checkpoint, "what to draw from")->required();
  sampling_flags(sample, sampled.sampling);
  sample.whole("--seed", sampled.sampling.seed, "image i of a seed is the same whatever else is drawn (0)", 0,
               (std::numeric_limits<std::size_t>::max)());
  sample.threads(sampled.threads);
  sample
      .word("--out", "FILE", sampled.out,
            "a .npy file (float32, images x channels x height x width, in [0, 1]) or a .png")
      ->required();
  sample.app().callback([&] { act = [&] { run(sampled); }; });

  flags show{all, "show", "say what a checkpoint or a folder of diffusers holds"};
  show_command shown;
  show.word("--checkpoint", "PATH", shown.checkpoint, "what to describe")->required();
  show.app().callback([&] { act = [&] { run(shown); }; });

  flags save{all, "save", "write the model of a checkpoint as a folder for diffusers"};
  save_command saved;
  save.word("--checkpoint", "PATH", saved.checkpoint, "what to write")->required();
  save.word("--out", "DIR", saved.out, "the folder, which DDPMPipeline.from_pretrained reads")->required();
  save.app().add_flag("--overwrite", saved.overwrite, "replace a model that is there already");
  save.app().callback([&] { act = [&] { run(saved); }; });

  all.footer(
      "images COMMAND --help explains the flags of a command. Exit code 2: it cannot be done; 130: interrupted.");
  return common::parse_and_run(all, {arguments + 1, arguments + count}, [&] { act(); });
}

}  // namespace images
