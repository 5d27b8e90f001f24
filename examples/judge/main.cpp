// A judge of images: a classifier that learns MNIST, Fashion-MNIST or CIFAR-10, and whose features then show how far a
// set of images is from the test images. It guides no sampler, and no recipe has its seed. The .safetensors files
// beside this one are such judges.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <softscore/softscore.hpp>

#include "judging.hpp"

namespace {

using namespace softscore;

struct options {
  std::string data, out{"out/judge"}, file, judge{"out/judge/judge.safetensors"};
  std::size_t images{}, epochs{5}, batch_size{64}, each{}, features{64}, threads{tbb_backend{}.threads()};
  std::vector<std::size_t> widths{16, 32, 64};
  std::uint64_t seed{20200611};
  double learning_rate{2e-3}, label_smoothing{0.0};
  bool flip{}, resume{};
};

// All files of CIFAR-10 in a folder whose names begin with `beginning`, sorted by name; none if there are none.
labeled_images read_batches(const std::filesystem::path& folder, const std::string& beginning) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator{folder})
    if (entry.path().filename().string().starts_with(beginning)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<float> pixels;
  labeled_images all;
  for (const auto& file : files) {
    const labeled_images part = read_cifar10(file);
    pixels.insert(pixels.end(), part.pixels.begin(), part.pixels.end());
    all.labels.insert(all.labels.end(), part.labels.begin(), part.labels.end());
  }
  if (files.empty()) return all;
  all.pixels = make_tensor({all.labels.size(), 3, 32, 32});
  std::copy(pixels.begin(), pixels.end(), all.pixels.begin());
  return all;
}

data_set data_of(const std::string& folder, std::size_t images) {
  const std::size_t count = images == 0 ? 10000 : images;
  if (folder.empty()) return stroke_digit_set(count, count / 8 + 1, 1);
  auto color = read_batches(folder, "data_batch");
  if (color.labels.empty()) return read_mnist(folder);
  auto tests = read_batches(folder, "test_batch");
  require(!tests.labels.empty(), "the number of files test_batch* in " + folder, 0, "at least 1");
  return {std::move(color), std::move(tests)};
}

void train_judge(const options& chosen) {
  require(chosen.batch_size >= 1, "--batch-size", chosen.batch_size, "at least 1");
  const std::filesystem::path out = chosen.out, saved = out / "checkpoint.safetensors";
  std::filesystem::create_directories(out);
  const data_set data = data_of(chosen.data, chosen.images);
  const shape image = data.training.extent().with_images(1);

  const std::size_t steps = chosen.epochs * (data.training.extent().images / chosen.batch_size);

  tbb_backend backend{chosen.threads};
  clean_denoiser asked{classifier{{chosen.widths, chosen.features, 10}, image}};
  const classifier& net = asked.network();
  const training_options training{.epochs = chosen.epochs,
                                  .batch_size = chosen.batch_size,
                                  .seed = chosen.seed,
                                  .learning_rate = chosen.learning_rate,
                                  .max_grad_norm = 1.0,
                                  .warmup_steps = std::min<std::size_t>(100, steps / 10),
                                  .learning_rate_decay = rate_decay::cosine,
                                  .weight_decay = 0.01,
                                  .ema_decay = 0.998,
                                  .random_flip = chosen.flip,
                                  .checkpoint = saved};
  std::optional<training_state> from;
  if (chosen.resume) from = read_checkpoint(safetensors_file{saved}, net.layout());
  train(backend, asked, corruption{identity{}, undamaged{}}, cross_entropy{10, chosen.label_smoothing}, data, training,
        progress_bar{}, from, {settings_of(net), {}});

  const double right = accuracy(judge(backend, net, as_view(data.test.pixels)).probabilities,
                                std::span<const class_label>{data.test.labels});
  std::printf("%zu parameters; %.2f %% of %zu test images have their label\n", net.parameter_count(), 100.0 * right,
              data.test.labels.size());
  write_classifier(out / "judge.safetensors", net,
                   {{"seed", std::to_string(chosen.seed)},
                    {"epochs", std::to_string(chosen.epochs)},
                    {"test_accuracy", std::to_string(right)}});
}

// Images of a NumPy file, or of the PNG files of a folder.
image_batch images_of(const std::filesystem::path& path) {
  return std::filesystem::is_directory(path) ? read_image_folder(path) : read_npy(path);
}

void score_images(const options& chosen) {
  const auto images = images_of(chosen.file);
  const std::size_t count = extent_of(images).images;
  std::vector<class_label> asked;
  if (chosen.each > 0)
    for (std::size_t i = 0; i < count; ++i) asked.push_back(static_cast<class_label>(i / chosen.each % 10));
  const auto rows =
      digits::judge_images(images, data_of(chosen.data, chosen.images), chosen.judge, asked, chosen.threads);
  std::printf("%zu images beside the test images, in the features of %s\n%s", count, chosen.judge.c_str(),
              digits::judged_table(rows).c_str());
}

}  // namespace

int main(int count, char** arguments) try {
  options chosen;
  CLI::App app{"trains a classifier, and judges images by its features"};
  app.require_subcommand(1);
  CLI::App& training = *app.add_subcommand("train", "trains a judge and says how many test images it knows");
  CLI::App& score = *app.add_subcommand("score", "compares images with the test images, beside controls");
  for (CLI::App* const command : {&training, &score}) {
    command->add_option("--data", chosen.data,
                        "folder with the files of MNIST, Fashion-MNIST or CIFAR-10 (without it: built-in digits)");
    command->add_option("--images", chosen.images, "built-in digits to learn from, or to hold out from (10000)");
    command->add_option("--threads", chosen.threads, "threads to compute with; the result does not depend on it (all)");
  }
  training.add_option("--epochs", chosen.epochs, "passes over the images (5)");
  training.add_option("--batch-size", chosen.batch_size, "images per step (64)");
  training.add_option("--widths", chosen.widths, "channels of the stages (16 32 64)")->delimiter(',');
  training.add_option("--features", chosen.features, "numbers that describe an image (64)");
  training.add_option("--learning-rate", chosen.learning_rate, "largest step of Adam (0.002)");
  training.add_option("--label-smoothing", chosen.label_smoothing, "share of a label that all classes get alike (0)");
  training.add_option("--seed", chosen.seed, "of first weights and order (20200611)");
  training.add_flag("--flip", chosen.flip, "mirror half of the images");
  training.add_flag("--resume", chosen.resume, "continue from the checkpoint in the folder --out");
  training.add_option("--out", chosen.out, "folder for the checkpoint and the judge (out/judge)");
  score.add_option("FILE", chosen.file, "images in [0, 1]: a .npy file, or a folder of PNG files")->required();
  score.add_option("--judge", chosen.judge, "the judge (out/judge/judge.safetensors)");
  score.add_option("--each", chosen.each, "images of each class, in order: say how many are of the class asked for");
  CLI11_PARSE(app, count, arguments);
  if (training.parsed())
    train_judge(chosen);
  else
    score_images(chosen);
} catch (const std::exception& problem) {
  std::fprintf(stderr, "judge: %s\n", problem.what());
  return 2;
}
