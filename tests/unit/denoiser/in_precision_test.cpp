// A network in float under a state in double.
#include "catch.hpp"

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/linear_beta.hpp>
#include <softscore/denoiser/in_precision.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/sampler/integrate.hpp>
#include <softscore/sampler/momentum.hpp>
#include <softscore/sampler/probability_flow.hpp>

#include "random_batch.hpp"
#include "steady_denoiser.hpp"

using namespace softscore;

namespace {
const shape extent{3, 2, 3, 4};
const condition asked{{0, 3}, diffusion_time{0.4}};

template <class T>
using constant_view = view<const T, host_space>;
}  // namespace

TEST_CASE("the answer is the inner one to the rounded question", "[denoiser]") {
  serial_backend be;
  const auto wrapped = in_precision<float>(steady_denoiser{});
  auto memory = wrapped.workspace<double>(be, extent.with_images(5));
  const auto x = random_batch<double>(be, extent, 1);
  auto out = be.make<double>(extent), pulled = be.make<double>(extent);
  wrapped.estimate(be, asked, constant_view<double>(x.view()), out.view(), memory);
  wrapped.pullback(be, asked, constant_view<double>(x.view()), pulled.view(), memory);

  auto rounded = be.make<float>(extent), inner = be.make<float>(extent), inner_pulled = be.make<float>(extent);
  be.convert(constant_view<double>(x.view()), rounded.view());
  steady_denoiser::nothing none;
  steady_denoiser{}.estimate(be, asked, constant_view<float>(rounded.view()), inner.view(), none);
  steady_denoiser{}.pullback(be, asked, constant_view<float>(rounded.view()), inner_pulled.view(), none);
  for (std::size_t i = 0; i < extent.size(); ++i) {
    CHECK(out.view()[i] == static_cast<double>(inner.view()[i]));
    CHECK(pulled.view()[i] == static_cast<double>(inner_pulled.view()[i]));
  }
}

TEST_CASE("in its own precision nothing changes", "[denoiser]") {
  serial_backend be;
  const auto wrapped = in_precision<float>(steady_denoiser{});
  auto memory = wrapped.workspace<float>(be, extent);
  const auto x = random_batch<float>(be, extent, 1);
  auto out = be.make<float>(extent), inner = be.make<float>(extent);
  wrapped.estimate(be, asked, constant_view<float>(x.view()), out.view(), memory);
  steady_denoiser::nothing none;
  steady_denoiser{}.estimate(be, asked, constant_view<float>(x.view()), inner.view(), none);
  for (std::size_t i = 0; i < extent.size(); ++i) CHECK(out.view()[i] == inner.view()[i]);
}

TEST_CASE("a state in double loses only what the network's rounding takes", "[denoiser]") {
  serial_backend be;
  const corruption chain{scaling{}, linear_beta{}};
  const auto grid = uniform_grid(1000);
  const auto run = [&]<class T>(T, const auto& denoiser, const auto& sampler) {
    const auto end = integrate(be, sampler, chain, denoiser, grid,
                               draw_start<T>(be, chain, grid, extent.with_images(1), {0, 3}, 5), 5);
    std::vector<double> all;
    for (std::size_t i = 0; i < extent.size(); ++i) all.push_back(static_cast<double>(end.x.view()[i]));
    return all;
  };
  const auto check = [&](const auto& sampler) {
    const auto exact = run(0.0, steady_denoiser{}, sampler),
               mixed = run(0.0, in_precision<float>(steady_denoiser{}), sampler);
    // The state follows x' = f(x), f having slopes of 1 or so per unit of log-SNR, of which the chain spans 19; every h
    // carries a relative error of three roundings of float. The errors of a thousand steps then add like the steps do,
    // to at most that of one h times the span.
    const double bound = 19.0 * 3.0 * 0.5 * static_cast<double>(std::numeric_limits<float>::epsilon());
    double worst = 0.0;
    for (std::size_t i = 0; i < exact.size(); ++i)
      worst = std::max(worst, std::abs(mixed[i] - exact[i]) / std::max(1.0, std::abs(exact[i])));
    CHECK(worst < bound);
    CHECK(worst > 0.0);
  };
  check(momentum{});
  check(probability_flow{});
}
