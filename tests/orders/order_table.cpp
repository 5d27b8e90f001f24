#include "order_table.hpp"

#include <algorithm>
#include <cmath>
#include <concepts>
#include <memory>
#include <utility>

#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/cosine.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/corruption/variance_preserving.hpp>
#include <softscore/denoiser/gaussian_denoiser.hpp>
#include <softscore/operator/centered_mask.hpp>
#include <softscore/operator/composed.hpp>
#include <softscore/operator/fade.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/operator/paced.hpp>
#include <softscore/operator/scaling.hpp>

#include "any_corruption.hpp"
#include "every_sampler.hpp"
#include "measured_row.hpp"

using namespace softscore;

double order_row::order() const {
  double x = 0, y = 0, xx = 0, xy = 0;
  const auto n = static_cast<double>(fine.size());
  for (const point& p : fine) {
    const double a = std::log(static_cast<double>(p.steps)), b = std::log(p.error);
    x += a / n, y += b / n, xx += a * a / n, xy += a * b / n;
  }
  return -(xy - x * y) / (xx - x * x);
}

namespace {

const std::string jumps = "C_t jumps: what the mask reveals lacks the spread that x_t does not show";

// Adds a row for each sampler that it is called with.
template <class C>
auto adding(std::vector<order_row>& rows, const place& where, const C& c, const row_seen& see) {
  return
      [&rows, where, &c, &see](const char* name, const auto& sampler, drawing noise, const other_distribution& other) {
        rows.push_back(measure(name, sampler, where, c, noise, other));
        see(rows.back());
      };
}

void add_mask(std::vector<order_row>& rows, const place& where, const any_corruption& c) {
  const auto add = [&](const char* name, const auto& sampler, drawing noise) {
    rows.push_back(measure(name, sampler, where, c, noise, {jumps}));
  };
  add("ddim{}", ddim{}, no_noise);
  add("momentum", momentum{}, fresh_noise);
  add("probability_flow", probability_flow{}, no_noise);
  add("heun", heun{}, no_noise);
  add("dpm_solver_pp_2m", dpm_solver_pp_2m{}, no_noise);
}

}  // namespace

std::vector<order_row> order_table(std::string_view schedule, std::string_view family, const row_seen& see) {
  std::vector<order_row> rows;
  const auto wanted = [&](const place& where) {
    return where.schedule.find(schedule) != std::string::npos && where.family.find(family) != std::string::npos;
  };
  const auto noise_alone = [&](const place& where, auto corruption) {
    if (!wanted(where)) return;
    const any_scalar_corruption c{std::move(corruption)};
    each_for_any(c.sigma(diffusion_time{last_time}), adding(rows, where, c, see));
    each_for_scalar(c.sigma(diffusion_time{last_time}), adding(rows, where, c, see));
  };
  const auto with = [&](const place& where, auto corruption) {
    if (!wanted(where)) return;
    const any_corruption c{std::move(corruption)};
    each_for_any(c.sigma(diffusion_time{last_time}), adding(rows, where, c, see));
  };
  const gaussian_blur blur{.half_width = 3};
  const variance_preserving vp{.rate_first = 1.0, .rate_last = 6.0};
  const cosine bent{.horizon = 0.85};
  noise_alone({"VE", "identity"}, corruption{identity{}, variance_exploding{.sigma_min = 0.1, .sigma_max = 2.0}});
  with({"VE", "blur"}, blurring());
  with({"VE", "fade"}, fading());
  // Where the signal shrinks too, the operator is a number times a blur or a fade.
  noise_alone({"VP", "identity"}, corruption{scaling{}, vp});
  with({"VP", "blur"}, corruption{scaling{} * paced{blur, 2.5}, vp});
  with({"VP", "fade"}, corruption{scaling{} * paced{fade{}, 0.5}, vp});
  noise_alone({"cosine", "identity"}, corruption{scaling{}, bent});
  with({"cosine", "blur"}, corruption{scaling{} * paced{blur, 2.5}, bent});
  with({"cosine", "fade"}, corruption{scaling{} * paced{fade{}, 0.6}, bent});
  add_in_modes(rows, schedule, family);
  if (wanted({"VE", "mask"}))
    add_mask(rows, {"VE", "mask"},
             any_corruption{corruption{centered_mask{},
                                       variance_exploding{.sigma_min = 0.1, .sigma_max = 0.5, .level_max = 2.0}}});
  return rows;
}
