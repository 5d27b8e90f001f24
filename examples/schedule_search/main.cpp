// Searches a Wasserstein schedule for a blur or a mask, and writes it, with a picture beside the matched-error
// baseline, to files that `digits train --schedule` reads.
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <numeric>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include <softscore/backend/tbb.hpp>
#include <softscore/core/number_text.hpp>
#include <softscore/data/idx.hpp>
#include <softscore/data/stroke_digits.hpp>
#include <softscore/io/png.hpp>
#include <softscore/operator/centered_mask.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/schedule/matched_mse.hpp>
#include <softscore/schedule/schedule_file.hpp>
#include <softscore/schedule/wasserstein_search.hpp>
#include <softscore/train/progress_bar.hpp>

#include "picture.hpp"

using namespace softscore;

namespace {

struct settings {
  std::string data{}, recipe{"blur"}, out{"schedule"};
  std::size_t images{1000}, candidates{256}, nodes{32}, threads{softscore::tbb_backend{}.threads()};
  double stage{0.15};
  bool biased{};
};

std::string number(double value) { return softscore::detail::rounded(value, 6); }

template <class Op>
void search(const settings& s, const Op& op, const std::vector<double>& levels, const std::string& spacing) {
  tbb_backend be{s.threads};
  const image_batch digits = s.data.empty() ? stroke_digits(s.images, 1).pixels : read_mnist(s.data).training.pixels;
  const auto all = as_view(digits);
  require(s.images <= all.extent().images, "--images", s.images, "at most the number of training images");
  const auto images = all.images(0, s.images);
  // begin search
  search_options options{.nodes = s.nodes, .debiased = !s.biased};
  progress_bar bar;
  const searched_levels found =
      search_levels(be, op, images, levels, options, [&](const search_progress& p) { bar(p); });
  const two_stage noise{.sigma_min = 0.01, .sigma_max = options.sigma, .stage = s.stage};
  const tabulated schedule = after_noise(found.levels, noise);
  write_schedule(s.out + ".json",
                 {schedule,
                  {{"recipe", s.recipe},
                   {"data", std::to_string(s.images) + (s.data.empty() ? " stroke digits" : " images of MNIST")},
                   {"candidates", std::to_string(s.candidates) + " levels from " + number(levels.front()) + " to " +
                                      number(levels.back()) + spacing},
                   {"distance", options.debiased ? "debiased" : "biased"},
                   {"nodes", std::to_string(found.levels.size()) + " of " + std::to_string(s.nodes) + " asked for"},
                   {"largest edge allowed", number(found.longest)},
                   {"pairs", std::to_string(found.pairs)}}});
  // end search
  // The same noise at the same times: the two differ only in their levels.
  const tabulated baseline = after_noise(
      matched_mse_levels(be, op, images, levels, options.sigma, {.sigma_min = 0.01, .sigma_max = 50.0}, s.candidates),
      noise);
  write_schedule(s.out + "-baseline.json",
                 {baseline, {{"recipe", s.recipe}, {"found by", "matching the mean squared error of noise to 50"}}});
  const std::size_t rows = std::min<std::size_t>(4, s.images), columns = 24;
  write_png(s.out + ".png",
            schedule_search::picture(schedule, baseline, s.stage,
                                     schedule_search::strip(be, op, schedule, images.images(0, rows), columns)));
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf("%zu levels, edges of %.4g to %.4g, length %.4g\n", found.levels.size(),
              *std::min_element(found.edges.begin(), found.edges.end()),
              *std::max_element(found.edges.begin(), found.edges.end()),
              std::accumulate(found.edges.begin(), found.edges.end(), 0.0));
  if (found.levels.size() != s.nodes)
    std::printf("%zu were asked for; edges up to %.4g leave no path, and no edge above gave as many\n", s.nodes,
                found.blocked);
  std::printf("%zu pairs (band of %zu), %zu unfinished, %zu clouds, %.1f s on %zu threads, %.0f MiB\n", found.pairs,
              found.width, found.unfinished, found.clouds, found.seconds, s.threads,
              static_cast<double>(usage.ru_maxrss) / 1024.0);
  if (found.unfinished > 0)
    std::printf("the worst of the unfinished misses its marginals by %.2g\n", found.marginal_error);
  for (std::size_t i = 0; i < found.levels.size(); ++i) std::printf("%s%.3f", i == 0 ? "" : " ", found.levels[i]);
  std::printf("\n");
}

}  // namespace

int main(int count, char** arguments) try {
  settings s;
  CLI::App app{
      "Searches a Wasserstein schedule (Daras et al. 2022, Appendix C) and writes FILE.json, FILE.png and the "
      "baseline's\n"
      "FILE-baseline.json."};
  app.add_option("--recipe", s.recipe, "blur or mask (blur)");
  app.add_option("--data", s.data, "folder of MNIST's four IDX files (built-in stroke digits)");
  app.add_option("--out", s.out, "files to write, without their endings (schedule)");
  app.add_option("--images", s.images, "images in every cloud (1000)");
  app.add_option("--candidates", s.candidates, "levels to choose from (256)");
  app.add_option("--nodes", s.nodes, "levels on the path, both ends included (32)");
  app.add_option("--stage", s.stage, "share of time for the noise before the level rises (0.15)");
  app.add_flag("--biased", s.biased, "measure as Daras et al. 2022: a set's distance to itself is not 0");
  app.add_option("--threads", s.threads, "threads to compute with (all the machine has)");
  try {
    app.parse(count, arguments);
  } catch (const CLI::ParseError& problem) {
    return app.exit(problem);
  }
  if (s.recipe == "blur")
    search(s, gaussian_blur{.half_width = 28}, geometric_levels(s.candidates, 0.2, 14.0), ", in a constant ratio");
  else if (s.recipe == "mask")
    search(s, centered_mask{}, even_levels(s.candidates, 0.0, 28.0), ", evenly spaced");
  else
    reject("--recipe", s.recipe, "blur or mask");
  return 0;
} catch (const std::exception& problem) {
  std::fprintf(stderr, "schedule_search: %s\n", problem.what());
  return 2;
}
