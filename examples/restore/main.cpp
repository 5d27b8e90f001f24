// Restores digits with a model that was trained on noise alone (digits train --recipe ddpm): it fills holes and undoes
// a loss of resolution with every method for inverse problems, shows the results side by side, and says how near each
// comes to the truth.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <softscore/backend/tbb.hpp>
#include <softscore/denoiser/thresholding.hpp>
#include <softscore/io/atomic_file.hpp>
#include <softscore/io/png.hpp>
#include <softscore/io/tiled.hpp>
#include <softscore/metric/psnr.hpp>
#include <softscore/metric/ssim.hpp>
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
#include "judging.hpp"
#include "recipes.hpp"

namespace {

using namespace softscore;

struct options {
  std::string checkpoint, data, judge, out{"out/restore"};
  std::size_t count{100}, shown{8}, steps{250}, threads{tbb_backend{}.threads()};
  double sigma{0.05}, zeta{0.4}, hole{0.5};
};

// Scores pictures against their truths, prints a line per method, and keeps the lines for restored.csv.
class examiner {
 public:
  // The truth is in the range of the model.
  examiner(const digits::model& model, const image_batch& truth, std::span<const class_label> labels,
           const options& chosen)
      : chosen_{chosen}, scale_{model.pixels()}, truth_{pictures_of(truth)}, labels_{labels} {
    if (!chosen.judge.empty()) digits::require_judge(chosen.judge, extent_of(truth));
  }

  void begin(const std::string& problem) {
    problem_ = problem;
    pictures_.clear();
    std::printf("%s.png, rows from the top:\n  %-12s %11s %7s %7s %12s\n", problem.c_str(), "", "evaluations", "PSNR",
                "SSIM", "named right");
  }

  void score(const char* name, std::size_t nfe, const image_batch& restored) {
    const image_batch images = pictures_of(restored);
    const double peak = mean(psnr(as_view(images), as_view(truth_))),
                 alike = mean(ssim(as_view(images), as_view(truth_)));
    std::string named;
    if (!chosen_.judge.empty())
      named = detail::fixed(digits::share_named_right(images, labels_, chosen_.judge, chosen_.threads), 4);
    std::printf("  %-12s %11zu %7.2f %7.3f %12s\n", name, nfe, peak, alike, named.empty() ? "-" : named.c_str());
    lines_ += problem_ + ',' + name + ',' + std::to_string(nfe) + ',' + detail::fixed(peak, 4) + ',' +
              detail::fixed(alike, 5) + ',' + named + '\n';
    pictures_.push_back(digits::first_images(images, chosen_.shown));
  }

  void write_picture(const std::filesystem::path& folder) const {
    const shape one = extent_of(pictures_.front());
    auto all = make_tensor(one.with_images(one.images * pictures_.size()));
    float* out = all.data();
    for (const auto& images : pictures_) out = std::copy_n(images.data(), images.size(), out);
    write_png(folder / (problem_ + ".png"), tiled(all, one.images));
  }

  void write_lines(const std::filesystem::path& folder) const { write_file(folder / "restored.csv", lines_); }

 private:
  // Images in [0, 1]; values outside are clipped, as in a picture.
  image_batch pictures_of(image_batch images) const {
    for (float& pixel : images) pixel = std::clamp((pixel - scale_.offset) / scale_.gain, 0.0f, 1.0f);
    return images;
  }
  // Infinite if the truth is compared with itself.
  static double mean(const std::vector<double>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  }

  const options& chosen_;
  pixel_scale scale_;
  image_batch truth_;
  std::span<const class_label> labels_;
  std::string problem_{}, lines_{"problem,method,evaluations,psnr,ssim,named_right\n"};
  std::vector<image_batch> pictures_{};
};

// Applies every method to one measurement of the same images, which are in the range of the model.
template <class Op>
void restore(tbb_backend& be, const digits::model& model, const image_batch& truth, const measurement<Op>& how,
             const options& chosen, examiner& exam) {
  const shape extent = extent_of(truth);
  const auto corruption = digits::ddpm_recipe::corruption(extent.with_images(1), {});
  auto clean = be.make<float>(extent), y = be.make<float>(extent);
  be.upload(truth.data(), clean.view());
  how.template observe<tbb_backend, float>(be, {.seed = 2, .stream = noise_stream::user}, {0, extent.images},
                                           clean.view(), y.view());
  auto measured = make_tensor(extent);
  be.download(view<const float, host_space>{y.view()}, measured.data());
  exam.score("truth", 0, truth);
  exam.score("measured", 0, measured);
  const auto seen = observation::from<tbb_backend, float>(be, y.view());
  const auto solve = [&](const char* name, const auto& sampler, std::size_t steps, double from = 1.0) {
    const auto drawn =
        sample(be, sampler, corruption, static_thresholding{digits::any_denoiser{model}, pixel_range{-0.5, 0.5}},
               uniform_grid(steps, from), {.images = extent.images, .seed = 3, .image = extent}, progress_bar{});
    exam.score(name, drawn.nfe, drawn.images);
  };
  solve("projection", projection{how, seen}, chosen.steps);
  solve("ddrm", ddrm{how, seen}, chosen.steps);
  solve("diffpir", diffpir{how, seen}, chosen.steps);
  // Its guidance passes through the network's Jacobian over a_t, which consists only of its error while a_t is small.
  solve("pigdm", pigdm{how, seen, 0.1}, chosen.steps, 0.5);
  solve("dps", dps{how, seen, chosen.zeta}, chosen.steps);
  solve("repaint", repaint{how, seen, 5}, std::max<std::size_t>(2, chosen.steps / 5));
}

void run(const options& chosen) {
  auto loaded = digits::load_checkpoint(chosen.checkpoint);
  require(loaded.about.settings.recipe == "ddpm", "the recipe of CHECKPOINT", loaded.about.settings.recipe,
          "ddpm: these methods start from noise alone");
  if (!chosen.data.empty()) loaded.about.settings.data = chosen.data;
  const auto data = digits::load_data(loaded.about.settings);
  const pixel_scale scale = loaded.made->pixels();
  auto truth = digits::first_images(data.test.pixels, chosen.count);
  const shape image = extent_of(truth);
  const std::filesystem::path out = chosen.out;
  std::filesystem::create_directories(out);
  tbb_backend backend{chosen.threads};
  for (float& pixel : truth) pixel = scale.gain * pixel + scale.offset;
  examiner exam{*loaded.made, truth, std::span{data.test.labels}.first(image.images), chosen};

  // A part of the rows and columns in the middle is lost.
  const auto border = [&](std::size_t side) {
    return static_cast<std::size_t>(std::lround(0.5 * (1.0 - chosen.hole) * static_cast<double>(side)));
  };
  std::vector<double> seen_until(image.plane(), std::numeric_limits<double>::infinity());
  for (std::size_t r = border(image.height); r < image.height - border(image.height); ++r)
    for (std::size_t c = border(image.width); c < image.width - border(image.width); ++c)
      seen_until[r * image.width + c] = 0.5;
  const measurement hole{free_form_mask{image.height, image.width, std::move(seen_until)}, level{1.0}, chosen.sigma};
  exam.begin("in-painting");
  restore(backend, *loaded.made, truth, hole, chosen, exam);
  exam.write_picture(out);

  // Four times as many rows and columns as were measured.
  const measurement coarse{box_downsampling{}, box_downsampling::at_factor(4), chosen.sigma};
  exam.begin("super-resolution");
  restore(backend, *loaded.made, truth, coarse, chosen, exam);
  exam.write_picture(out);
  exam.write_lines(out);
}

}  // namespace

int main(int count, char** arguments) try {
  options chosen;
  CLI::App app{"fills holes in digits and undoes a loss of resolution, with every method for inverse problems"};
  app.add_option("CHECKPOINT", chosen.checkpoint, "of digits train --recipe ddpm")->required();
  app.add_option("--data", chosen.data, "folder of the images that it was trained on (the checkpoint's)");
  app.add_option(
      "--judge", chosen.judge,
      "a classifier of the program judge, such as examples/judge/mnist.safetensors: say how many digits keep "
      "their label");
  app.add_option("--count", chosen.count, "test images to restore (100)")->check(CLI::Range(1, 10000));
  app.add_option("--shown", chosen.shown, "how many of them the pictures show (8)")->check(CLI::Range(1, 1000));
  app.add_option("--hole", chosen.hole, "side of the hole as a share of the image's (0.5)")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--steps", chosen.steps, "steps of the sampler (250)")->check(CLI::Range(2, 100000));
  app.add_option("--sigma", chosen.sigma, "noise of the measurement (0.05)")->check(CLI::NonNegativeNumber);
  app.add_option("--zeta", chosen.zeta, "length of DPS's steps (0.4)")->check(CLI::NonNegativeNumber);
  app.add_option("--threads", chosen.threads, "threads to compute with (all)");
  app.add_option("--out", chosen.out, "folder for the pictures and restored.csv (out/restore)");
  CLI11_PARSE(app, count, arguments);
  run(chosen);
} catch (const std::exception& problem) {
  std::fprintf(stderr, "restore: %s\n", problem.what());
  return 2;
}
