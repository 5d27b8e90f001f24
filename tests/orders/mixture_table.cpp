#include <string_view>

#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/cosine.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/corruption/variance_preserving.hpp>
#include <softscore/operator/composed.hpp>
#include <softscore/operator/dct_blur.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/operator/paced.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/sampler/exponential_integrator.hpp>

#include "any_corruption.hpp"
#include "every_sampler.hpp"
#include "mixture_row.hpp"

std::vector<order_row> mixture_table(std::string_view schedule, std::string_view family, const row_seen& see) {
  std::vector<order_row> rows;
  const auto wanted = [&](const place& where) {
    return where.schedule.find(schedule) != std::string::npos && where.family.find(family) != std::string::npos;
  };
  const auto adding = [&](auto& at) {
    return [&rows, &at, &see](const char* name, const auto& sampler, drawing noise, const other_distribution& other) {
      // It moves what C_t moves, and here that is nothing.
      if (std::string_view{name} == "cold" && at.where.schedule == "VE" && at.where.family == "identity") return;
      rows.push_back(measure_on_mixture(name, sampler, at, noise, other));
      see(rows.back());
    };
  };
  // The modes of an operator are known to its own type alone.
  const auto in_modes = [&](auto at) {
    adding(at)("exponential_integrator<2>", exponential_integrator<2>{}, no_noise, {});
    adding(at)("exponential_integrator<3>", exponential_integrator<3>{}, no_noise, {});
  };
  const auto one = [](const place& where, const auto& c) {
    return mixture_place{where, c, heaps_on_a_line(), heaps_on_a_line(), {1.0}};
  };
  const auto two = [](const place& where, const auto& c) {
    return mixture_place{
        where, c, heaps_in_a_plane(), heaps_in_the_difference(), {difference_mode()[0], difference_mode()[1]}};
  };
  const auto noise_alone = [&](const place& where, const auto& corruption) {
    if (!wanted(where)) return;
    auto at = one(where, any_scalar_corruption{corruption});
    each_for_any(at.sigma(limit_to), adding(at));
    each_for_scalar(at.sigma(limit_to), adding(at));
    in_modes(one(where, corruption));
  };
  const auto with = [&](const place& where, const auto& corruption, const auto& in_cosines) {
    if (!wanted(where)) return;
    auto at = two(where, any_corruption{corruption});
    each_for_any(at.sigma(limit_to), adding(at));
    in_modes(two(where, in_cosines));
  };
  const variance_exploding ve{.sigma_min = 0.2, .sigma_max = 0.8, .level_max = 1.5};
  const variance_preserving vp{.rate_first = 1.0, .rate_last = 6.0};
  const cosine bent{.horizon = 0.85};
  const gaussian_blur blur{.half_width = 3};
  noise_alone({"VE", "identity"}, corruption{identity{}, variance_exploding{.sigma_min = 0.1, .sigma_max = 2.0}});
  with({"VE", "blur"}, corruption{blur, ve}, corruption{dct_blur{}, ve});
  noise_alone({"VP", "identity"}, corruption{scaling{}, vp});
  with({"VP", "blur"}, corruption{scaling{} * paced{blur, 2.5}, vp},
       corruption{scaling{} * paced{dct_blur{}, 2.5}, vp});
  noise_alone({"cosine", "identity"}, corruption{scaling{}, bent});
  with({"cosine", "blur"}, corruption{scaling{} * paced{blur, 2.5}, bent},
       corruption{scaling{} * paced{dct_blur{}, 2.5}, bent});
  return rows;
}
