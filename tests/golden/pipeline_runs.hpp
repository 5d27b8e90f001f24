#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <softscore/core/error.hpp>
#include <softscore/denoiser/diffusers_pipeline.hpp>
#include <softscore/denoiser/in_precision.hpp>
#include <softscore/io/safetensors.hpp>
#include <softscore/sampler/integrate.hpp>
#include <softscore/sampler/sample_pipeline.hpp>

#include "drawn_noise_backend.hpp"
#include "golden_case.hpp"
#include "worse.hpp"

namespace golden {

// A run of diffusers' DDIM or DDPM again, from the start and with the noise that a file holds under ddim/ or ddpm/:
// the largest error of a state as a share of its largest entry; not a number where a state has one that is none.
// The state is in T, the network in Net. Throws where the run goes through other times.
template <class T, class Net, class Be>
double error_of_run(const safetensors_file& file, diffusers_pipeline pipeline, scheduler_kind kind) {
  using backend = drawn_noise<Be>;
  const std::string name = kind == scheduler_kind::ddim ? "ddim" : "ddpm";
  pipeline.scheduler.kind = kind;
  const diffusers_scheduler& scheduler = pipeline.scheduler;
  const auto& extent = file.extent(name + "/x");
  const shape batch{extent.at(0), extent.at(1), extent.at(2), extent.at(3)};
  const auto start = file.tensor<float>(name + "/x"), states = file.tensor<float>(name + "/states");
  const auto indices = file.tensor<std::int64_t>(name + "/timesteps");
  const time_grid grid = scheduler.grid(indices.size());
  for (std::size_t k = 0; k < indices.size(); ++k) {
    const double index = step_index_at(grid[k].t, scheduler.chain_steps()).value;
    require(index == static_cast<double>(indices[k]), "index of step " + std::to_string(k), index,
            "that of diffusers, " + std::to_string(indices[k]));
  }

  backend be{file.contains(name + "/noise") ? file.tensor<float>(name + "/noise") : std::vector<float>{}, batch.images};
  start_point<backend, T> from{be.template make<T>(batch), be.template make<T>(batch), {0, batch.images}};
  be.upload(std::vector<T>(start.begin(), start.end()).data(), from.x.view());
  std::vector<T> ours;  // x at every step's start and at the end, one after another
  const auto keep = [&](const auto& x) {
    ours.resize(ours.size() + batch.size());
    be.download(x, ours.data() + ours.size() - batch.size());
  };
  with_denoiser(std::move(pipeline.network), scheduler, [&](auto denoiser) {
    detail::with_sampler(scheduler, in_precision<Net>(std::move(denoiser)), 0.0,
                         [&](const auto& sampler, const auto& of) {
                           const auto end = integrate(be, sampler, scheduler.noising(), of, grid, std::move(from), 1,
                                                      [&](const auto& progress) { keep(progress.x); });
                           keep(view_of<backend, const T>(end.x.view()));
                         });
  });

  double worst = 0;
  for (std::size_t k = 0; k < grid.steps(); ++k) {
    const auto part = [&](const auto& of, std::size_t step) {
      const auto begin = of.begin() + static_cast<std::ptrdiff_t>(step * batch.size());
      return std::vector(begin, begin + static_cast<std::ptrdiff_t>(batch.size()));
    };
    worst = worse(worst, relative(part(ours, k + 1), part(states, k)));
  }
  return worst;
}

// The runs of diffusers' DDIM and DDPM that the file of a pipeline holds: every state, relative to its largest entry.
// In double both sides use the same chain of float32 numbers, and the states are stored as float32. A network in float
// has an error of 4e-7 here, which is multiplied by sigma / a = 26 at the first step and grows from step to step:
// PyTorch's own float32 is 2.6e-5 (DDIM) and 1.2e-5 (DDPM) off, and the bound is twice that. A state in float stays
// within 1e-5.
template <class T, class Net, class Be>
void check_runs(const char* backend, double bound, const golden_case& g, outcome& result) {
  for (const scheduler_kind kind : {scheduler_kind::ddim, scheduler_kind::ddpm})
    result.report(g.file.parent_path().filename().string(), backend, kind == scheduler_kind::ddim ? "ddim" : "ddpm",
                  error_of_run<T, Net, Be>(g.tensors, load_diffusers_pipeline(*g.folder), kind), bound);
}

}  // namespace golden
