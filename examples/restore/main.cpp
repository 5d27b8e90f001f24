// Restores digits with a model that was trained on noise alone (digits train --recipe ddpm): fills holes and undoes a
// loss of resolution with every method for inverse problems, and shows them beside each other.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include <softscore/backend/tbb.hpp>
#include <softscore/denoiser/thresholding.hpp>
#include <softscore/io/png.hpp>
#include <softscore/io/tiled.hpp>
#include <softscore/operator/box_downsampling.hpp>
#include <softscore/operator/free_form_mask.hpp>
#include <softscore/sampler/ddrm.hpp>
#include <softscore/sampler/diffpir.hpp>
#include <softscore/sampler/dps.hpp>
#include <softscore/sampler/pigdm.hpp>
#include <softscore/sampler/projection.hpp>
#include <softscore/sampler/repaint.hpp>
#include <softscore/sampler/sample.hpp>
#include <softscore/train/progress_bar.hpp>

#include "any_denoiser.hpp"
#include "checkpoints.hpp"
#include "data.hpp"
#include "recipes.hpp"

namespace {

using namespace softscore;

struct options {
  std::string checkpoint, data, out{"out/restore"};
  std::size_t count{8}, steps{250}, threads{softscore::tbb_backend{}.threads()};
  double sigma{0.05}, zeta{0.4};
};

struct row {
  std::string name;
  image_batch images;
};

double error_of(const image_batch& images, const image_batch& truth) {
  double sum = 0.0;
  for (std::size_t i = 0; i < truth.size(); ++i)
    sum += std::pow(static_cast<double>(images.data()[i] - truth.data()[i]), 2.0);
  return std::sqrt(sum / static_cast<double>(truth.size()));
}

// Every method on one measurement of the same images, which come in the range of the model.
template <class Op>
std::vector<row> restore(tbb_backend& be, const digits::model& model, const image_batch& truth,
                         const measurement<Op>& how, const options& chosen) {
  const shape extent = extent_of(truth);
  const auto corruption = digits::ddpm_recipe::corruption(extent.with_images(1), {});
  auto clean = be.make<float>(extent), y = be.make<float>(extent);
  be.upload(truth.data(), clean.view());
  how.template observe<tbb_backend, float>(be, {.seed = 2, .stream = noise_stream::user}, {0, extent.images},
                                           clean.view(), y.view());
  row measured{"measured", make_tensor(extent)};
  be.download(view<const float, host_space>{y.view()}, measured.images.data());
  std::vector<row> rows{{"truth", truth}, std::move(measured)};
  const auto seen = observation::from<tbb_backend, float>(be, y.view());
  const auto solve = [&](const char* name, const auto& sampler, std::size_t steps, double from = 1.0) {
    auto drawn =
        sample(be, sampler, corruption, static_thresholding{digits::any_denoiser{model}, pixel_range{-0.5, 0.5}},
               uniform_grid(steps, from), {.images = extent.images, .seed = 3, .image = extent}, progress_bar{});
    std::printf("  %-12s %4zu evaluations, root mean square error %.3f\n", name, drawn.nfe,
                error_of(drawn.images, truth));
    rows.push_back({name, std::move(drawn.images)});
  };
  solve("projection", projection{how, seen}, chosen.steps);
  solve("ddrm", ddrm{how, seen}, chosen.steps);
  solve("diffpir", diffpir{how, seen}, chosen.steps);
  // Its guidance passes through the network's Jacobian over a_t, whose error is all there is while a_t is small.
  solve("pigdm", pigdm{how, seen, 0.1}, chosen.steps, 0.5);
  solve("dps", dps{how, seen, chosen.zeta}, chosen.steps);
  solve("repaint", repaint{how, seen, 5}, std::max<std::size_t>(2, chosen.steps / 5));
  return rows;
}

void write_rows(const std::filesystem::path& file, const std::vector<row>& rows, pixel_scale scale) {
  const shape one = extent_of(rows.front().images);
  auto all = make_tensor(one.with_images(one.images * rows.size()));
  float* out = all.data();
  for (const auto& r : rows)
    for (const float pixel : r.images) *out++ = (pixel - scale.offset) / scale.gain;
  write_png(file, tiled(all, one.images));
}

void run(const options& chosen) {
  auto loaded = digits::load_checkpoint(chosen.checkpoint);
  require(loaded.about.settings.recipe == "ddpm", "the recipe of CHECKPOINT", loaded.about.settings.recipe,
          "ddpm: these methods start from noise alone");
  if (!chosen.data.empty()) loaded.about.settings.data = chosen.data;
  const auto data = digits::load_data(loaded.about.settings);
  const pixel_scale scale = loaded.made->pixels();
  auto truth = digits::first_images(data.test.pixels, chosen.count);
  for (float& pixel : truth) pixel = scale.gain * pixel + scale.offset;
  const shape image = extent_of(truth);
  const std::filesystem::path out = chosen.out;
  std::filesystem::create_directories(out);
  tbb_backend backend{chosen.threads};

  // The middle half of the rows and columns is lost.
  std::vector<double> seen_until(image.plane(), std::numeric_limits<double>::infinity());
  for (std::size_t r = image.height / 4; r < image.height - image.height / 4; ++r)
    for (std::size_t c = image.width / 4; c < image.width - image.width / 4; ++c) seen_until[r * image.width + c] = 0.5;
  const measurement hole{free_form_mask{image.height, image.width, std::move(seen_until)}, level{1.0}, chosen.sigma};
  std::puts("in-painting.png, rows from the top: truth, measured, and");
  write_rows(out / "in-painting.png", restore(backend, *loaded.made, truth, hole, chosen), scale);

  const measurement coarse{box_downsampling{}, box_downsampling::at_factor(4), chosen.sigma};
  std::puts("super-resolution.png, four times as many rows and columns as were measured:");
  write_rows(out / "super-resolution.png", restore(backend, *loaded.made, truth, coarse, chosen), scale);
}

}  // namespace

int main(int count, char** arguments) try {
  options chosen;
  CLI::App app{"fills holes in digits and undoes a loss of resolution, with every method for inverse problems"};
  app.add_option("CHECKPOINT", chosen.checkpoint, "of digits train --recipe ddpm")->required();
  app.add_option("--data", chosen.data, "folder of the images that it was trained on (the checkpoint's)");
  app.add_option("--count", chosen.count, "test images to restore (8)")->check(CLI::Range(1, 1000));
  app.add_option("--steps", chosen.steps, "steps of the sampler (250)")->check(CLI::Range(2, 100000));
  app.add_option("--sigma", chosen.sigma, "noise of the measurement (0.05)")->check(CLI::NonNegativeNumber);
  app.add_option("--zeta", chosen.zeta, "length of DPS's steps (0.4)")->check(CLI::NonNegativeNumber);
  app.add_option("--threads", chosen.threads, "threads to compute with (all)");
  app.add_option("--out", chosen.out, "folder for the pictures (out/restore)");
  CLI11_PARSE(app, count, arguments);
  run(chosen);
} catch (const std::exception& problem) {
  std::fprintf(stderr, "restore: %s\n", problem.what());
  return 2;
}
