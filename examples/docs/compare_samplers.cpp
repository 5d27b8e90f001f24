// Compares samplers on data whose distribution is known, with the exact denoiser: the error of the samples' variance
// in percent, at equal cost.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <iterator>

#include <softscore/backend/tbb/backend.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/sampler/ddim.hpp>
#include <softscore/sampler/ddpm.hpp>
#include <softscore/sampler/dpm_solver_pp_2m.hpp>
#include <softscore/sampler/edm_heun.hpp>
#include <softscore/sampler/heun.hpp>
#include <softscore/sampler/integrate.hpp>
#include <softscore/sampler/momentum.hpp>
#include <softscore/sampler/naive.hpp>
#include <softscore/sampler/probability_flow.hpp>
#include <softscore/sampler/rk4.hpp>
#include <softscore/sampler/unipc.hpp>

#include "gray_pixels.hpp"

namespace {

// begin percent
// The error of the variance of 100,000 samples after `nfe` evaluations of the denoiser, in percent.
template <class S>
double percent_off(const S& sampler, std::size_t nfe) {
  using namespace softscore;
  tbb_backend be;
  const corruption noise{identity{}, variance_exploding{.sigma_min = 0.01, .sigma_max = 20.0}};
  const auto grid = uniform_grid(nfe / static_cast<std::size_t>(S::evaluations_per_step));
  const auto end = integrate(be, sampler, noise, gray_pixels{noise}, grid,
                             draw_start<float>(be, noise, grid, {1, 1, 50, 50}, {0, 40}, 3), 3);
  return 100.0 * (mean_square(end) / 0.25 - 1.0);
}
// end percent

// Whether the table of the page is right: to 1 % of the variance, because a standard error is 0.45 % and the noise is
// the same everywhere.
template <class S>
bool row(const char* name, const S& sampler, const double (&page)[5]) {
  std::printf("%-18s", name);
  bool as_printed = true;
  for (std::size_t i = 0; i < 5; ++i) {
    const double found = percent_off(sampler, std::size_t{10} << i);
    std::printf("%10.1f", found);
    as_printed = as_printed && std::abs(found - page[i]) < 0.01 * (100.0 + page[i]) + 0.05;
  }
  std::printf("\n");
  return as_printed;
}

}  // namespace

int main() {
  std::printf("%-18s%10d%10d%10d%10d%10d\n", "NFE", 10, 20, 40, 80, 160);
  const bool as_printed[] = {row("ddim", softscore::ddim{}, {-31.6, -17.3, -9.1, -4.6, -2.3}),
                             row("ddim, eta 1", softscore::ddim{1.0}, {-48.5, -30.1, -16.9, -9.3, -4.8}),
                             row("ddpm", softscore::ddpm{}, {135.4, 49.5, 21.5, 9.6, 4.7}),
                             row("momentum", softscore::momentum{}, {135.4, 49.5, 21.5, 9.6, 4.7}),
                             row("probability_flow", softscore::probability_flow{}, {834.1, 227.3, 82.7, 35.3, 16.4}),
                             row("heun", softscore::heun{}, {92421.7, -98.4, -44.1, -11.5, -2.8}),
                             row("dpm_solver_pp_2m", softscore::dpm_solver_pp_2m{}, {4.8, 1.7, 0.4, 0.1, 0.0}),
                             row("..., SDE", softscore::dpm_solver_pp_2m_sde{}, {7.8, 4.0, 1.0, -0.2, -0.1}),
                             row("edm_heun", softscore::edm_heun{}, {103.0, 18.3, 4.0, 0.9, 0.2}),
                             row("unipc<2>", softscore::unipc<2>{}, {5.6, 0.8, 0.1, 0.0, 0.0}),
                             row("rk4", softscore::rk4{}, {22991.9, 86.5, 2.4, 0.1, 0.0}),
                             row("naive", softscore::naive{}, {-64.0, -58.2, -54.7, -52.9, -51.2})};
  return std::all_of(std::begin(as_printed), std::end(as_printed), [](bool yes) { return yes; }) ? 0 : 1;
}
