#pragma once

#include <string>
#include <string_view>
#include <tuple>

#include <softscore/core/error.hpp>
#include <softscore/sampler/alternating.hpp>
#include <softscore/sampler/cold.hpp>
#include <softscore/sampler/ddim.hpp>
#include <softscore/sampler/ddpm.hpp>
#include <softscore/sampler/heun.hpp>
#include <softscore/sampler/momentum.hpp>
#include <softscore/sampler/naive.hpp>
#include <softscore/sampler/naive_cold.hpp>
#include <softscore/sampler/probability_flow.hpp>

// The samplers by name. The types decide whether one fits a recipe, so this list knows nothing about recipes.
namespace digits {

template <class S>
struct named_sampler {
  std::string_view name;
  S sampler;
};

inline auto all_samplers() {
  using namespace softscore;
  return std::tuple{named_sampler<ddpm>{"ddpm", {}},
                    named_sampler<ddim>{"ddim", {}},
                    named_sampler<naive>{"naive", {}},
                    named_sampler<momentum>{"momentum", {}},
                    named_sampler<heun>{"heun", {}},
                    named_sampler<cold>{"cold", {}},
                    named_sampler<naive_cold>{"naive_cold", {}},
                    named_sampler<probability_flow>{"probability_flow", {}},
                    named_sampler<alternating>{"alternating", {}}};
}

/// Calls `act(named_sampler)` for every sampler.
template <class Act>
void for_each_sampler(Act act) {
  std::apply([&](const auto&... each) { (act(each), ...); }, all_samplers());
}

/// Calls `act(sampler)` for the sampler of that name. Throws `error` if there is none or the types of the run R do not
/// allow it, with the reason and the samplers that fit.
template <class R, class Act>
void with_sampler(const std::string& name, std::string_view recipe, Act act) {
  bool known = false;
  std::string_view reason;
  std::string fitting;
  for_each_sampler([&]<class S>(const named_sampler<S>& one) {
    constexpr std::string_view missing = softscore::unmet_need<S, R>();
    if constexpr (missing.empty()) fitting += (fitting.empty() ? "" : ", ") + std::string{one.name};
    if (one.name != name) return;
    known = true;
    reason = missing;
    if constexpr (missing.empty()) act(one.sampler);
  });
  const std::string rule = "one that fits the recipe " + std::string{recipe} + ": " + fitting;
  softscore::require(known, "--sampler", name, rule);
  if (!reason.empty()) softscore::reject("--sampler", name, rule + " (" + std::string{reason} + ")");
}

}  // namespace digits
