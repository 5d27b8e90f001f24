// The main parts of the library in one program that needs no other test's headers, for compilers and options unlike
// those of the other tests: trains, samples, and writes files that it reads again into the folder given. Serial,
// because oneTBB's library may have been compiled for another standard library.
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <stdexcept>
#include <string_view>

#include <softscore/softscore.hpp>

int main(int count, char** arguments) try {
  using namespace softscore;
  const std::filesystem::path folder = count > 1 ? arguments[1] : ".";

  serial_backend backend;
  const auto digits = stroke_digit_set(32, 4, 1);
  const corruption blurring{gaussian_blur{.half_width = 28}, two_stage{.sigma_max = 0.1, .level_max = 14.0}};
  residual_denoiser denoiser{plain_cnn{{2, 2}}};
  training_options options{.epochs = 2, .batch_size = 8};
  options.checkpoint = folder / "model.safetensors";
  const auto trained = train(backend, denoiser, blurring, soft_score_matching_loss{}, digits, options);
  // Two runs over 32 images, 8 at a time.
  if (trained.losses.size() != 8 || trained.test_losses.size() != 2)
    throw error("training took a wrong number of steps");
  const auto drawn = sample(backend, momentum{}, blurring, denoiser, uniform_grid(3), {.images = 4, .seed = 1});

  const auto file = read_safetensors(options.checkpoint);
  const auto kept = read_parameters(file, denoiser.network().layout());
  const auto own = denoiser.network().parameters();
  if (!std::equal(kept.begin(), kept.end(), own.begin(), own.end())) throw error("lost parameters");
  write_npy(folder / "drawn.npy", drawn.images);
  if (read_npy(folder / "drawn.npy") != drawn.images) throw error("drawn.npy holds other images");
  write_png(folder / "drawn.png", tiled(drawn.images, 2));
  const image_batch picture = read_png(folder / "drawn.png");
  if (extent_of(picture) != extent_of(tiled(drawn.images, 2))) throw error("drawn.png has another size");
  const tabulated table{{{0.0, 0.0, 1e-5}, {0.5, 1.5, 0.3}, {1.0, 2.0, 0.7}}};
  write_schedule(folder / "schedule.json", {table, {{"found", "by hand"}}});
  if (read_schedule(folder / "schedule.json").schedule.points() != table.points()) throw error("lost points");

  try {
    sample(backend, momentum{}, blurring, denoiser, uniform_grid(3), {.images = 0});
    throw std::logic_error("0 images were drawn");
  } catch (const error& refused) {
    if (std::string_view{refused.what()} != "images is 0, but it must be at least 1") throw;
  }
  std::cout << "right\n";
} catch (const std::exception& problem) {
  std::cout << problem.what() << '\n';
  return 1;
}
