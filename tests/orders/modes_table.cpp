#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/cosine.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/corruption/variance_preserving.hpp>
#include <softscore/operator/composed.hpp>
#include <softscore/operator/dct_blur.hpp>
#include <softscore/operator/fade.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/operator/paced.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/sampler/exponential_integrator.hpp>

#include "measured_row.hpp"

// Of order 1 it is ddim, to the bit nearly (tests/unit/sampler/exponential_integrator_test.cpp).
void add_in_modes(std::vector<order_row>& rows, std::string_view schedule, std::string_view family) {
  const auto add = [&](const place& where, const auto& corruption) {
    if (where.schedule.find(schedule) == std::string::npos || where.family.find(family) == std::string::npos) return;
    rows.push_back(measure("exponential_integrator<2>", exponential_integrator<2>{}, where, corruption, no_noise));
    rows.push_back(measure("exponential_integrator<3>", exponential_integrator<3>{}, where, corruption, no_noise));
  };
  const variance_preserving vp{.rate_first = 1.0, .rate_last = 6.0};
  const cosine bent{.horizon = 0.85};
  add({"VE", "identity"}, corruption{identity{}, variance_exploding{.sigma_min = 0.1, .sigma_max = 2.0}});
  add({"VE", "blur"}, corruption{dct_blur{}, variance_exploding{.sigma_min = 0.2, .sigma_max = 0.8, .level_max = 1.5}});
  add({"VE", "fade"}, fading());
  add({"VP", "identity"}, corruption{scaling{}, vp});
  add({"VP", "blur"}, corruption{scaling{} * paced{dct_blur{}, 2.5}, vp});
  add({"VP", "fade"}, corruption{scaling{} * paced{fade{}, 0.5}, vp});
  add({"cosine", "identity"}, corruption{scaling{}, bent});
  add({"cosine", "blur"}, corruption{scaling{} * paced{dct_blur{}, 2.5}, bent});
  add({"cosine", "fade"}, corruption{scaling{} * paced{fade{}, 0.6}, bent});
}
