// Soft diffusion on color images: a blur and a little noise, trained on CIFAR-10's binary files or, without them, on
// digits in random colors. It draws twice from the same network: from a prior that is fitted to blurred images, and
// from the single random color of Daras et al. 2022, Appendix D. It writes both as pictures, beside the data.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include <softscore/softscore.hpp>

namespace {

using namespace softscore;

// Stroke digits of side 32, with random colors for paper and ink.
labeled_images colored_digits(std::size_t count, std::uint64_t seed, std::uint64_t first) {
  const labeled_images gray = stroke_digits(count, seed, 32, first);
  labeled_images tinted{make_tensor({count, 3, 32, 32}), gray.labels};
  for (std::size_t i = 0; i < count; ++i)
    for (std::uint32_t c = 0; c < 3; ++c) {
      const noise_key key{.seed = seed, .stream = noise_stream::user};
      const auto paper = static_cast<float>(uniform(key, first + i, c)),
                 ink = static_cast<float>(uniform(key, first + i, 3 + c));
      for (std::size_t k = 0; k < 1024; ++k) {
        const float g = gray.pixels.data()[i * 1024 + k];
        tinted.pixels.data()[(3 * i + c) * 1024 + k] = (1.0f - g) * paper + g * ink;
      }
    }
  return tinted;
}

labeled_images first_of(labeled_images all, std::size_t count) {
  const shape extent = all.extent();
  if (count == 0 || count >= extent.images) return all;
  labeled_images part{make_tensor(extent.with_images(count)), {}};
  std::copy_n(all.pixels.data(), part.pixels.size(), part.pixels.data());
  part.labels.assign(all.labels.begin(), all.labels.begin() + static_cast<std::ptrdiff_t>(count));
  return part;
}

data_set read(const std::string& folder, std::size_t images) {
  if (folder.empty()) {
    const std::size_t count = images == 0 ? 10000 : images;
    return {colored_digits(count, 1, 0), colored_digits(std::max<std::size_t>(2, count / 10), 1, count)};
  }
  labeled_images training, test;
  for (const auto& file : std::filesystem::directory_iterator{folder}) {
    if (file.is_directory()) continue;
    const std::string name = file.path().filename().string();
    if (name.starts_with("data_batch_1.bin")) training = read_cifar10(file.path());
    if (name.starts_with("test_batch")) test = read_cifar10(file.path());
  }
  require(training.extent().images > 0 && test.extent().images > 0, "--data", folder,
          "a folder with data_batch_1.bin and test_batch.bin, plain or .gz");
  return {first_of(std::move(training), images), std::move(test)};
}

double distance(const principal_components& components, const image_batch& images, const image_batch& test) {
  auto clipped = images;
  for (float& pixel : clipped) pixel = std::clamp(pixel, 0.0f, 1.0f);
  return frechet_in_components(components, as_view(clipped), as_view(test));
}

struct options {
  std::string data, out{"out/color"};
  std::size_t images{}, epochs{5}, count{64}, steps{100};
  std::vector<std::size_t> widths{32, 64, 32};
};

void run(const options& chosen) {
  const data_set data = read(chosen.data, chosen.images);
  const shape image = data.training.extent().with_images(1);
  const std::filesystem::path out = chosen.out;
  std::filesystem::create_directories(out);

  tbb_backend backend;
  const gaussian_blur blur{.half_width = 32};
  const two_stage schedule{.level_max = 18.0};  // the largest blur of Daras et al. 2022 for this size
  const corruption blurring{blur, schedule};
  residual_denoiser denoiser{plain_cnn{chosen.widths, image}};
  const training_options training{.epochs = chosen.epochs,
                                  .batch_size = 64,
                                  .learning_rate = 5e-4,
                                  .max_grad_norm = 1.0,
                                  .warmup_steps = 100,
                                  .ema_decay = 0.999,
                                  .checkpoint = out / "checkpoint.safetensors"};
  const soft_score_matching_loss objective{.ahead = 0.05};
  train(backend, denoiser, blurring, objective, data, training, progress_bar{});

  const auto components = fit_principal_components(as_view(data.training.pixels),
                                                   std::min<std::size_t>(64, data.training.extent().images - 1));
  const auto draw = [&](const char* name, const fitted_prior& prior) {
    const corruption start{blur, schedule, prior};
    const auto drawn = sample(backend, momentum{}, start, denoiser, uniform_grid(chosen.steps),
                              {.images = chosen.count, .seed = 1}, progress_bar{});
    write_png(out / (std::string{name} + ".png"), tiled(drawn.images, 8));
    std::printf("%s.png: %zu evaluations, Frechet distance %.2f\n", name, drawn.nfe,
                distance(components, drawn.images, data.test.pixels));
  };
  draw("fitted_prior", fit_prior(backend, blurring, as_view(data.training.pixels)));
  draw("one_color", fit_color_prior(as_view(data.training.pixels)));
  draw("corrupted_color", fit_color_prior(backend, blurring, as_view(data.training.pixels)));

  const auto held = first_of(data.training, chosen.count).pixels;
  write_png(out / "data.png", tiled(held, 8));
  std::printf("data.png: Frechet distance %.2f\n", distance(components, held, data.test.pixels));
}

}  // namespace

int main(int count, char** arguments) try {
  options chosen;
  CLI::App app{"trains a blur model on color images and draws from it with three priors"};
  app.add_option("--data", chosen.data, "folder with CIFAR-10's binary files (digits in random colors)");
  app.add_option("--images", chosen.images, "training images to use (all)");
  app.add_option("--epochs", chosen.epochs, "passes over them (5)");
  app.add_option("--widths", chosen.widths, "channels of the network's blocks (32 64 32)")->delimiter(',');
  app.add_option("--count", chosen.count, "images to draw (64)");
  app.add_option("--steps", chosen.steps, "steps of the sampler (100)");
  app.add_option("--out", chosen.out, "folder for the pictures (out/color)");
  CLI11_PARSE(app, count, arguments);
  run(chosen);
} catch (const std::exception& problem) {
  std::fprintf(stderr, "color: %s\n", problem.what());
  return 2;
}
