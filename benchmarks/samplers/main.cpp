// Every sampler on every trained recipe: time per step, evaluations and the Frechet distance in the leading principal
// components of the training images, as a Google Benchmark; the pictures and the table go to a folder.
#include <benchmark/benchmark.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <deque>
#include <filesystem>
#include <string>
#include <vector>

#include <softscore/backend/tbb.hpp>
#include <softscore/core/error.hpp>

#include "checkpoints.hpp"
#include "contest.hpp"
#include "data.hpp"
#include "page.hpp"
#include "scoring.hpp"

namespace {

struct options {
  std::vector<std::string> checkpoints;
  std::string data, out{"out/samplers"};
  std::vector<std::size_t> evaluations{10, 20, 50, 100, 250};
  std::size_t images{256}, shown{16}, shown_at{50}, threads{softscore::tbb_backend{}.threads()};
};

struct contender {
  digits::loaded_model loaded;
  softscore::data_set data;
  digits::scorer score;
  contest::recipe_results results;
};

// One budget of one sampler: drawn once, timed, scored.
void run_one(benchmark::State& state, const contest::entrant& e, contender& c, std::size_t evaluations,
             const options& chosen, softscore::tbb_backend& be) {
  for (auto _ : state) {
    contest::outcome drawn;
    try {
      drawn = e.draw({be, *c.loaded.made, c.data.training.extent().with_images(1), evaluations, chosen.images});
    } catch (const softscore::error& refusal) {
      state.SkipWithError(refusal.what());  // a budget or a corruption that the method cannot take
      return;
    }
    state.SetIterationTime(drawn.seconds / static_cast<double>(drawn.steps));
    const auto scale = c.loaded.made->pixels();
    bool finite = true;
    for (float& pixel : drawn.images) {
      finite = finite && std::isfinite(pixel);
      pixel = std::clamp((pixel - scale.offset) / scale.gain, 0.0f, 1.0f);
    }
    if (!finite) {
      state.SkipWithError("the images are not finite");
      return;
    }
    const auto scores = c.score(drawn.images);
    c.results.held_out = scores.held_out;
    c.results.noise = scores.noise;
    c.results.images = scores.count;
    state.counters["nfe"] = static_cast<double>(drawn.nfe);
    state.counters["frechet"] = scores.images;
    c.results.entries.push_back({std::string{e.recipe}, e.sampler, e.order, evaluations, drawn.nfe, drawn.steps,
                                 1e3 * drawn.seconds / static_cast<double>(drawn.steps), scores.images,
                                 digits::first_images(drawn.images, chosen.shown)});
  }
}

int run(int count, char** arguments) {
  benchmark::Initialize(&count, arguments);
  options chosen;
  CLI::App app{"draws with every sampler from trained recipes of the program digits, times and scores the images"};
  app.add_option("CHECKPOINT", chosen.checkpoints, "checkpoints of digits train, one per recipe")->required();
  app.add_option("--data", chosen.data, "folder of the images that they were trained on (the checkpoint's)");
  app.add_option("--evaluations", chosen.evaluations, "budgets, in network evaluations per image (10 20 50 100 250)");
  app.add_option("--images", chosen.images, "images per sampler and budget (256)")->check(CLI::Range(2, 100000));
  app.add_option("--shown", chosen.shown, "images shown of each sampler (16)")->check(CLI::Range(1, 64));
  app.add_option("--shown-at", chosen.shown_at, "the budget whose images are shown (50)");
  app.add_option("--threads", chosen.threads, "threads to compute with (all)");
  app.add_option("--out", chosen.out, "folder for pictures, results.csv and page.md (out/samplers)");
  app.footer("Google Benchmark's own flags, such as --benchmark_filter=blur/.*, work too.");
  CLI11_PARSE(app, count, arguments);

  softscore::tbb_backend backend{chosen.threads};
  std::deque<contender> contenders;
  for (const auto& file : chosen.checkpoints) {
    auto loaded = digits::load_checkpoint(file);
    if (!chosen.data.empty()) loaded.about.settings.data = chosen.data;
    auto data = digits::load_data(loaded.about.settings);
    const std::string recipe = loaded.about.settings.recipe;
    digits::scorer score{data, chosen.images};
    contenders.push_back({std::move(loaded), std::move(data), std::move(score), {.recipe = recipe, .entries = {}}});
    for (const auto& e : contest::entrants()) {
      if (e.recipe != recipe) continue;
      for (const std::size_t evaluations : chosen.evaluations)
        benchmark::RegisterBenchmark((recipe + "/" + e.sampler + "/" + std::to_string(evaluations)).c_str(),
                                     [&, evaluations, c = &contenders.back()](benchmark::State& state) {
                                       run_one(state, e, *c, evaluations, chosen, backend);
                                     })
            ->Iterations(1)
            ->UseManualTime()
            ->Unit(benchmark::kMillisecond);
    }
  }
  benchmark::RunSpecifiedBenchmarks();
  std::vector<contest::recipe_results> all;
  for (auto& c : contenders)
    if (!c.results.entries.empty()) all.push_back(std::move(c.results));
  softscore::require(!all.empty(), "number of benchmarks that ran", 0, "at least 1");
  contest::write_page(chosen.out, all, chosen.shown_at);
  std::printf("%s/page.md: the table, and beside it the charts and the images\n", chosen.out.c_str());
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  try {
    return run(count, arguments);
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "samplers: %s\n", problem.what());
    return 2;
  }
}
