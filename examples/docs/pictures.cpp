// Draws the documentation's pictures into the folder given by the first argument: the built-in digits, and each
// corruption at nine times from 0 to 1.
#include <filesystem>
#include <iostream>
#include <string>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/corruption/background_corruption.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/linear_beta.hpp>
#include <softscore/corruption/severity.hpp>
#include <softscore/corruption/two_stage.hpp>
#include <softscore/data/stroke_digits.hpp>
#include <softscore/io/png.hpp>
#include <softscore/io/tiled.hpp>
#include <softscore/operator/box_downsampling.hpp>
#include <softscore/operator/centered_mask.hpp>
#include <softscore/operator/dct_blur.hpp>
#include <softscore/operator/eraser.hpp>
#include <softscore/operator/fade.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/operator/motion_blur.hpp>
#include <softscore/operator/random_mask.hpp>
#include <softscore/operator/scaling.hpp>

using namespace softscore;

namespace {

constexpr std::size_t times = 9;

// Doubles the height and width of every pixel, so that a page shows it large enough.
image_batch doubled(const image_batch& small) {
  const shape s = extent_of(small);
  auto large = make_tensor({s.images, s.channels, 2 * s.height, 2 * s.width});
  for (std::size_t y = 0; y < 2 * s.height; ++y)
    for (std::size_t x = 0; x < 2 * s.width; ++x) large(0, 0, y, x) = small(0, 0, y / 2, x / 2);
  return large;
}

// begin strip
// x_t for t = 0, 1/8, ..., 1, one image a row. The corruption sees pixels in [low, low + 1].
template <class C>
image_batch strip(const C& corruption, const image_batch& images, float low = 0.0f) {
  serial_backend be;
  const shape extent = extent_of(images);
  auto clean = be.make<float>(extent), xi = be.make<float>(extent), noisy = be.make<float>(extent);
  be.upload(images.data(), clean.view());
  be.for_each([low](float& x) { x += low; }, clean.view());
  corruption.draw_xi(be, noise_key{.seed = 5}, {0, extent.images}, xi.view());
  auto all = make_tensor(extent.with_images(extent.images * times));
  for (std::size_t k = 0; k < times; ++k) {
    const diffusion_time t{static_cast<double>(k) / (times - 1)};
    corruption.template corrupt<serial_backend, float>(be, per_image<diffusion_time>{t}, clean.view(), xi.view(),
                                                       noisy.view());
    for (std::size_t i = 0; i < extent.images; ++i)
      for (std::size_t p = 0; p < extent.per_image(); ++p)
        all.data()[(i * times + k) * extent.per_image() + p] = noisy.view()[i * extent.per_image() + p] - low;
  }
  return tiled(all, times);
}
// end strip

}  // namespace

int main(int count, char** arguments) try {
  const std::filesystem::path folder = count > 1 ? arguments[1] : "pictures";
  std::filesystem::create_directories(folder);
  const auto save = [&](const std::string& name, const image_batch& image) {
    write_png(folder / (name + ".png"), doubled(image));
  };

  save("stroke_digits", tiled(stroke_digits(60, 1).pixels, 10));
  const image_batch three = stroke_digits(3, 1, 28, 32).pixels;
  // begin corruptions
  save("corruption_noise", strip(corruption{scaling{}, linear_beta{1000}}, three, -0.5f));
  save("corruption_blur", strip(corruption{gaussian_blur{.half_width = 28}, two_stage{}}, three));
  save("corruption_mask",
       strip(corruption{centered_mask{}, two_stage{.level_min = 0.0, .level_max = 28.0, .levels = spacing::linear}},
             three));
  save("corruption_fade",
       strip(corruption{fade{}, two_stage{.level_min = 0.0, .level_max = 1.0, .levels = spacing::linear}}, three));
  save("corruption_eraser", strip(background_corruption{eraser{28, 28, 100}, severity{100.0}}, three, -0.5f));
  // end corruptions
  const auto rising = [](double level) {
    return two_stage{.level_min = 0.0, .level_max = level, .levels = spacing::linear};
  };
  save("corruption_heat", strip(corruption{dct_blur{}, two_stage{}}, three));
  save("corruption_motion", strip(corruption{motion_blur{.degrees = 30.0}, rising(24.0)}, three));
  save("corruption_random_mask", strip(corruption{random_mask{}, rising(1.0)}, three));
  save("corruption_box", strip(corruption{box_downsampling{}, rising(9.0)}, three));
  std::cout << "ten pictures in " << folder.string() << '\n';
} catch (const softscore::error& problem) {
  std::cerr << problem.what() << '\n';
  return 2;
}
