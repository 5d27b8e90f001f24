// Every way around x_0, eps, v (Salimans and Ho 2022) and the score (Daras et al. 2022, Eq. 16) ends where it began.
#include <softscore/denoiser/conversions.hpp>

#include "catch.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/corruption/variance_preserving.hpp>
#include <softscore/operator/fade.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/operator/scaling.hpp>

#include "random_batch.hpp"
#include "refusal.hpp"

using namespace softscore;

namespace {

const shape extent{2, 1, 3, 4};
const corruption<scaling, variance_preserving> preserving{scaling{},
                                                          variance_preserving{.rate_first = 0.5, .rate_last = 3.0}};
using array = array_of<serial_backend, double>;

double distance(const array& a, const array& b) {
  double most = 0, largest = 0;
  for (std::size_t i = 0; i < a.view().size(); ++i) {
    most = std::max(most, std::abs(a.view()[i] - b.view()[i]));
    largest = std::max(largest, std::abs(b.view()[i]));
  }
  return most / largest;
}

}  // namespace

TEST_CASE("every round trip among x_0, eps, v and the score ends where it began", "[denoiser]") {
  serial_backend be;
  const auto clean = random_batch<double>(be, extent, 1), noise = random_batch<double>(be, extent, 2);
  for (const double time : {0.01, 0.1, 0.5, 0.9, 1.0}) {
    const diffusion_time t{time};
    const double a = preserving.signal_gain(t), sigma = preserving.sigma(t);
    auto x = be.make<double>(extent);
    be.combine(x.view(), term{a, clean.view()}, term{sigma, noise.view()});
    const view<const double, host_space> x_t = x.view();

    // The four by their definitions.
    std::array<array, 4> wanted{be.make<double>(extent), be.make<double>(extent), be.make<double>(extent),
                                be.make<double>(extent)};
    be.combine(wanted[0].view(), term{1.0, clean.view()});
    be.combine(wanted[1].view(), term{1.0, noise.view()});
    be.combine(wanted[2].view(), term{a, noise.view()}, term{-sigma, clean.view()});
    be.combine(wanted[3].view(), term{-1.0 / sigma, noise.view()});

    const auto to_clean = [&](std::size_t from, const array& phi) {
      auto h = be.make<double>(extent);
      const view<const double, host_space> in = phi.view();
      if (from == 0) clean_from(be, clean_parameterization{}, t, x_t, in, h.view());
      if (from == 1) clean_from(be, epsilon_parameterization{preserving}, t, x_t, in, h.view());
      if (from == 2) clean_from(be, velocity_parameterization{preserving}, t, x_t, in, h.view());
      if (from == 3) clean_from(be, score_parameterization{preserving}, t, x_t, in, h.view());
      return h;
    };
    const auto from_clean = [&](std::size_t to, const array& h) {
      auto phi = be.make<double>(extent);
      const view<const double, host_space> in = h.view();
      if (to == 0) be.combine(phi.view(), term{1.0, in});
      if (to == 1) epsilon_from_clean(be, preserving, t, x_t, in, phi.view());
      if (to == 2) velocity_from_clean(be, preserving, t, x_t, in, phi.view());
      if (to == 3) score_from_clean(be, preserving, t, x_t, in, phi.view());
      return phi;
    };
    for (std::size_t from = 0; from < 4; ++from)
      for (std::size_t to = 0; to < 4; ++to) {
        CAPTURE(time, from, to);
        // sigma is at least 0.07 and a at least 0.4: a subtraction of numbers of size 1 and a division by either lose
        // at most 1 / 0.07 / 0.4 times a few roundings of 1.1e-16, and the way back as much.
        const array there = from_clean(to, to_clean(from, wanted[from]));
        CHECK(distance(there, wanted[to]) < 1e-12);
        CHECK(distance(from_clean(from, to_clean(to, there)), wanted[from]) < 1e-12);
      }
  }
}

TEST_CASE("under a signal that is no number the noise and the score belong to h as well", "[denoiser]") {
  serial_backend be;
  const corruption fading{fade{}, variance_exploding{.sigma_min = 0.1, .sigma_max = 2.0, .level_max = 1.0}};
  const auto clean = random_batch<double>(be, extent, 1), noise = random_batch<double>(be, extent, 2);
  const diffusion_time t{0.6};
  auto x = be.make<double>(extent), found = be.make<double>(extent), score = be.make<double>(extent);
  const view<const double, host_space> h = clean.view(), x_t = x.view();
  fading.corrupt<serial_backend, double>(be, t, h, noise.view(), x.view());
  epsilon_from_clean(be, fading, t, x_t, h, found.view());
  CHECK(distance(found, noise) < 1e-14);  // numbers of size 1 and sigma = 0.6: a few roundings
  score_from_clean(be, fading, t, x_t, h, score.view());
  be.combine(score.view(), term{-fading.sigma(t), score.view()});
  CHECK(distance(score, noise) < 1e-14);
}

TEST_CASE("where x_t says nothing about the target, it is refused", "[denoiser]") {
  serial_backend be;
  const auto x = be.make<double>(extent);
  auto out = be.make<double>(extent);
  const view<const double, host_space> in = x.view();
  const diffusion_time start{0.0};
  CHECK_REFUSED(epsilon_from_clean(be, preserving, start, in, in, out.view()),
                "sigma where the noise is asked for is 0, but it must be above 0");
  CHECK_REFUSED(score_from_clean(be, preserving, start, in, in, out.view()),
                "sigma where the score is asked for is 0, but it must be above 0");
  CHECK_REFUSED(velocity_from_clean(be, preserving, start, in, in, out.view()),
                "sigma where the velocity is asked for is 0, but it must be above 0");
  const corruption exploding{identity{}, variance_exploding{.sigma_min = 0.5, .sigma_max = 0.5}};
  CHECK_REFUSED(velocity_from_clean(be, exploding, diffusion_time{0.5}, in, in, out.view()),
                "a^2 + sigma^2 where the velocity is asked for is 1.25, but it must be 1");
}
