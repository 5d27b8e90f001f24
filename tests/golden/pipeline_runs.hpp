#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <softscore/denoiser/diffusers_scheduler.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/denoiser/thresholding.hpp>
#include <softscore/sampler/clipped_ddim.hpp>
#include <softscore/sampler/ddpm.hpp>
#include <softscore/sampler/integrate.hpp>

#include "drawn_noise_backend.hpp"
#include "golden_case.hpp"

namespace golden {

// The runs of diffusers' DDIM and DDPM that the file of a pipeline holds, from its own schedulers' settings, every
// state: 1e-5, of which 3e-6 are diffusers' own, whose chain is in float32. Both clip the estimate of the clean image
// to [-1, 1]. In float the first estimate is 25 times as far off as the network's noise (sigma / a at index 800), and
// an estimate that is not clipped carries 2e-5 of that into the result.
template <class T>
void check_runs(const char* backend, double bound, const golden_case& g, const unet<step_index>& net,
                const std::vector<float>& values, outcome& result) {
  unet<step_index> own = net;
  own.set_parameters(values);
  const diffusers_scheduler scheduler = load_diffusers_scheduler(*g.folder);
  require_prediction(scheduler, prediction::epsilon);
  const epsilon_denoiser denoiser{std::move(own), scheduler.noising()};
  const pixel_range range = scheduler.clipping.value_or(pixel_range{});
  const auto run = [&](const std::string& kind, const auto& sampler, const auto& of, std::vector<float> noise) {
    const auto start = g.tensors.tensor<float>(kind + "/x");
    const auto states = g.tensors.tensor<float>(kind + "/states");
    const shape batch = shape_of(g.tensors.extent(kind + "/x"));
    drawn_noise_backend be{std::move(noise)};
    const time_grid grid = scheduler.grid(states.size() / batch.size());
    start_point<drawn_noise_backend, T> from{be.template make<T>(batch), be.template make<T>(batch), {0, batch.images}};
    be.upload(std::vector<T>(start.begin(), start.end()).data(), from.x.view());
    std::vector<std::vector<T>> ours;
    const auto keep = [&](const auto& progress) {
      ours.emplace_back(progress.x.size());
      be.download(progress.x, ours.back().data());
    };
    auto end = integrate(be, sampler, scheduler.noising(), of, grid, std::move(from), 1, keep);
    ours.emplace_back(batch.size());
    be.download(end.x.view(), ours.back().data());
    double worst = 0;
    for (std::size_t k = 0; k < grid.steps(); ++k) {
      const auto begin = states.begin() + static_cast<std::ptrdiff_t>(k * batch.size());
      const double error =
          relative(ours[k + 1], std::vector<float>(begin, begin + static_cast<std::ptrdiff_t>(batch.size())));
      if (!(error <= worst)) worst = error;
    }
    result.report(g.file.parent_path().filename().string(), backend, kind.c_str(), worst, bound);
  };
  run("ddim", clipped_ddim{0, range}, denoiser, {});
  run("ddpm", ddpm{scheduler.variance}, static_thresholding{denoiser, range}, g.tensors.tensor<float>("ddpm/noise"));
}

}  // namespace golden
