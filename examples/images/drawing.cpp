#include "drawing.hpp"

#include <algorithm>
#include <string_view>
#include <tuple>
#include <utility>

#include <softscore/core/error.hpp>
#include <softscore/io/file_error.hpp>
#include <softscore/sampler/ddim.hpp>
#include <softscore/sampler/ddpm.hpp>
#include <softscore/sampler/dpm_solver_pp_2m.hpp>
#include <softscore/sampler/dpm_solver_pp_3m_sde.hpp>
#include <softscore/sampler/edm_heun.hpp>
#include <softscore/sampler/sample.hpp>
#include <softscore/sampler/unipc.hpp>
#include <softscore/train/progress_bar.hpp>

#include "commands.hpp"
#include "common/interrupt.hpp"

namespace images {
namespace {

template <class S>
struct named_sampler {
  std::string_view name;
  S sampler;
};

// One line each; every sampler is compiled with the type-erased denoiser alone.
auto all_samplers() {
  using namespace softscore;
  return std::tuple{named_sampler<ddim>{"ddim", {}},
                    named_sampler<ddpm>{"ddpm", {}},
                    named_sampler<dpm_solver_pp_2m>{"dpm_solver_pp_2m", {}},
                    named_sampler<dpm_solver_pp_3m_sde>{"dpm_solver_pp_3m_sde", {}},
                    named_sampler<unipc<>>{"unipc", {}},
                    named_sampler<edm_heun>{"edm_heun", {}}};
}

template <class Act>
void for_each_sampler(const Act& act) {
  std::apply([&](const auto&... each) { (act(each), ...); }, all_samplers());
}

}  // namespace

std::string sampler_names() {
  std::string names;
  for_each_sampler([&](const auto& one) { names += (names.empty() ? "" : ", ") + std::string{one.name}; });
  return names;
}

checked_plan check_plan(const sampling_plan& plan, const run_settings& settings) {
  bool known = false;
  for_each_sampler([&](const auto& one) { known = known || one.name == plan.sampler; });
  softscore::require(known, "--sampler", softscore::detail::printable(plan.sampler, 80), "one of " + sampler_names());
  const std::size_t chain = settings.scheduler.chain_steps(), classes = settings.network.label_count();
  softscore::require(plan.steps <= chain, "--steps", plan.steps,
                     "at most the steps of the chain, " + std::to_string(chain));
  checked_plan checked{plan, {}, 0, 1.0};
  softscore::require(!plan.guidance_scale || classes > 0, "--guidance-scale", plan.guidance_scale.value_or(0.0),
                     "left out, since the network takes no labels");
  const std::string usual = classes > 0 ? "all" : "none";
  auto labels = parse_labels("--labels", plan.labels.value_or(usual), classes, settings.classes);
  if (labels.empty()) {
    softscore::require(!plan.guidance_scale, "--guidance-scale", plan.guidance_scale.value_or(0.0),
                       "left out where no labels are asked for");
    return checked;
  }
  // By default not all of a thousand classes are drawn.
  if (!plan.labels) labels.resize(std::min(labels.size(), plan.count));
  softscore::require(plan.count >= labels.size(), "--count", plan.count,
                     "at least the number of labels, " + std::to_string(labels.size()));
  checked.classes = labels.size();
  checked.scale = plan.guidance_scale.value_or(2.0);
  for (std::size_t i = 0; i < plan.count; ++i) checked.labels.push_back(labels[i * labels.size() / plan.count]);
  return checked;
}

std::size_t columns_of(const checked_plan& plan, std::size_t most) {
  const std::size_t count = plan.asked.count;
  if (plan.classes > 0 && count % plan.classes == 0) {
    std::size_t columns = count / plan.classes;  // a divisor of it, so that each class begins a row
    for (std::size_t parts = 2; columns > 2 * most; ++parts)
      if (count / plan.classes % parts == 0) columns = count / plan.classes / parts;
    return columns;
  }
  std::size_t columns = 1;
  while (columns * columns < count && columns < most) ++columns;
  return columns;
}

common::drawing draw(softscore::tbb_backend& be, const model& m, const run_settings& settings, const checked_plan& plan,
                     const std::string& how_to_go_on, const common::sampling_watch& also) {
  using progress = softscore::sampling_progress<softscore::tbb_backend, float>;
  softscore::progress_bar bar;
  const auto watch = [&](const progress& p) {
    bar(p);
    if (also) also(common::sampling_view{p.at, p.nfe, p.x, p.h, p.done, p.images});
    return !common::interrupted();
  };
  const auto denoiser = m.denoiser(plan.scale);
  const softscore::sample_options options{.images = plan.asked.count,
                                          .seed = plan.asked.seed,
                                          .batch_size = plan.asked.batch_size,
                                          .image = m.image(),
                                          .labels = plan.labels,
                                          .pixels = settings.scheduler.pixels};
  const auto grid = settings.scheduler.grid(plan.asked.steps);
  const auto noise = settings.scheduler.noising();
  common::drawing result;
  for_each_sampler([&](const auto& one) {
    if (one.name != plan.asked.sampler) return;
    auto drawn = softscore::sample(be, one.sampler, noise, denoiser, grid, options, watch);
    result = {std::move(drawn.images), drawn.nfe, drawn.stopped};
  });
  if (result.stopped)
    throw common::stopped_by_user{"stopped while drawing, of which nothing was written; " + how_to_go_on};
  // Guidance evaluates the network with the label and without it.
  if (plan.scale != 1.0 && plan.scale != 0.0) result.nfe *= 2;
  return result;
}

}  // namespace images
