#pragma once

#include <cstddef>
#include <utility>

#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/denoiser/diffusers_pipeline.hpp>
#include <softscore/denoiser/thresholding.hpp>
#include <softscore/sampler/clipped_ddim.hpp>
#include <softscore/sampler/ddim.hpp>
#include <softscore/sampler/ddpm.hpp>
#include <softscore/sampler/sample.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {
// Calls f(sampler, denoiser) with those that the scheduler specifies.
template <class D, class F>
auto with_sampler(const diffusers_scheduler& scheduler, D denoiser, double eta, const F& f) {
  if (scheduler.kind == scheduler_kind::ddim) {
    if (scheduler.clipping) return f(clipped_ddim{eta, *scheduler.clipping}, denoiser);
    return f(ddim{eta}, denoiser);
  }
  const ddpm ancestral{scheduler.variance};
  if (scheduler.thresholding)
    return f(ancestral, dynamic_thresholding{std::move(denoiser), 100.0 * scheduler.thresholding->ratio, pixel_range{},
                                             scheduler.thresholding->most});
  if (scheduler.clipping) return f(ancestral, static_thresholding{std::move(denoiser), *scheduler.clipping});
  return f(ancestral, denoiser);
}
}  // namespace detail

/// Draws images as the DDPMPipeline or DDIMPipeline of diffusers does in `steps` steps, in [0, 1], with the scheduler's
/// chain, prediction, spacing, clipping and variance. `eta` is the share of noise under a DDIMScheduler. T is the
/// precision of the state. If the option `pixels` is not set, it is the scheduler's. Throws `error` as `sample` does,
/// and for an eta under a DDPMScheduler.
template <class T = float, class Be>
sample_result<T> sample_pipeline(Be& be, diffusers_pipeline pipeline, std::size_t steps, sample_options options = {},
                                 double eta = 0.0) {
  const diffusers_scheduler& scheduler = pipeline.scheduler;
  require(eta == 0.0 || scheduler.kind == scheduler_kind::ddim, "eta", eta, "0 for a DDPMScheduler");
  if (!options.pixels) options.pixels = scheduler.pixels;
  const auto noising = scheduler.noising();
  const time_grid grid = scheduler.grid(steps);
  return with_denoiser(std::move(pipeline.network), scheduler, [&](auto denoiser) {
    return detail::with_sampler(scheduler, std::move(denoiser), eta, [&](const auto& sampler, const auto& of) {
      return sample<T>(be, sampler, noising, of, grid, options);
    });
  });
}

}  // namespace softscore::inline SOFTSCORE_ABI
