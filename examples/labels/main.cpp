// Digits by their label: a U-Net like those of diffusers, with widths 16, 32 and 32, learns from the images of MNIST or
// Fashion-MNIST (files in IDX form) and their labels, a tenth of which are hidden from it. It then draws ten images of
// each class, one row per class, at several scales of classifier-free guidance (Ho and Salimans 2022).
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <softscore/softscore.hpp>

#include "common/small_unet.hpp"

namespace {

using namespace softscore;

struct options {
  std::string data, out{"out/labels"};
  std::size_t epochs{5}, images{}, batch_size{64}, each{10}, steps{50};
  std::vector<std::size_t> widths{16, 32, 32};
  std::vector<double> scales{1.0, 2.0, 4.0};
  std::uint64_t seed{0};
  bool resume{};
};

void run(const options& chosen) {
  const std::filesystem::path out = chosen.out, saved = out / "checkpoint.safetensors";
  std::filesystem::create_directories(out);
  const std::size_t count = chosen.images == 0 ? 10000 : chosen.images;
  const data_set data = chosen.data.empty()
                            ? data_set{stroke_digits(count, 1), stroke_digits(count / 8 + 1, 1, 28, count)}
                            : read_mnist(chosen.data);
  const shape image = data.training.extent().with_images(1);

  const std::size_t steps = chosen.epochs * (data.training.extent().images / chosen.batch_size);

  tbb_backend backend;
  const corruption noise{scaling{}, linear_beta{}};
  epsilon_denoiser denoiser{unet<step_index>{common::small_unet(image, chosen.widths)}, noise};
  training_options training = common::small_unet_training(chosen.epochs, chosen.batch_size, chosen.seed);
  training.warmup_steps = std::min<std::size_t>(200, steps / 10);
  training.checkpoint = saved;
  std::optional<training_state> from;
  if (chosen.resume) from = read_checkpoint(safetensors_file{saved}, denoiser.network().layout());
  train(backend, denoiser, noise, epsilon_loss{}, data, training, progress_bar{}, from);

  std::vector<class_label> labels;
  for (class_label k = 0; k < 10; ++k) labels.insert(labels.end(), chosen.each, k);
  for (const double scale : chosen.scales) {
    const auto drawn =
        sample(backend, ddim{}, noise, static_thresholding{classifier_free{denoiser, scale}},
               trailing_grid(1000, chosen.steps),
               {.images = labels.size(), .seed = 1, .labels = labels, .pixels = training.pixels}, progress_bar{});
    char name[64];
    std::snprintf(name, sizeof name, "scale-%g.png", scale);
    write_png(out / name, tiled(drawn.images, chosen.each));
    write_npy((out / name).replace_extension(".npy"), drawn.images);
    std::printf("%s: %zu evaluations an image\n", name, drawn.nfe);
  }
}

}  // namespace

int main(int count, char** arguments) try {
  options chosen;
  CLI::App app{"trains a U-Net on digits and their labels, and draws a row of each class"};
  app.add_option("--data", chosen.data,
                 "folder with the files of MNIST or Fashion-MNIST (without it: built-in digits)");
  app.add_option("--images", chosen.images, "built-in digits to learn from (10000)");
  app.add_option("--epochs", chosen.epochs, "passes over the images (5)");
  app.add_option("--batch-size", chosen.batch_size, "images per step (64)");
  app.add_option("--widths", chosen.widths, "channels of the levels (16 32 32)")->delimiter(',');
  app.add_option("--scales", chosen.scales, "scales of guidance (1 2 4); 1 is the label alone")->delimiter(',');
  app.add_option("--each", chosen.each, "images of each class (10)");
  app.add_option("--steps", chosen.steps, "steps of the sampler (50)");
  app.add_option("--seed", chosen.seed, "of first weights, order, times and noise (0)");
  app.add_flag("--resume", chosen.resume, "continue from the checkpoint in the folder --out");
  app.add_option("--out", chosen.out, "folder for the checkpoint and the pictures (out/labels)");
  CLI11_PARSE(app, count, arguments);
  run(chosen);
} catch (const std::exception& problem) {
  std::fprintf(stderr, "labels: %s\n", problem.what());
  return 2;
}
