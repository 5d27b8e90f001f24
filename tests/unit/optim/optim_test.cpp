#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

#include <softscore/backend/serial.hpp>
#include <softscore/backend/tbb.hpp>
#include <softscore/optim/adam.hpp>
#include <softscore/optim/clip.hpp>
#include <softscore/optim/ema.hpp>
#include <softscore/optim/linear_warmup.hpp>

#include "printed.hpp"

using namespace softscore;

namespace {

// Adam as its paper prints it, one number at a time.
struct paper_adam {
  double theta, m = 0, v = 0;
  void step(int k, double g, double rate) {
    m = 0.9 * m + 0.1 * g;
    v = 0.999 * v + 0.001 * g * g;
    theta -= rate * (m / (1 - std::pow(0.9, k))) / (std::sqrt(v / (1 - std::pow(0.999, k))) + 1e-8);
  }
};

}  // namespace

TEMPLATE_TEST_CASE("Adam follows its paper, with warm-up, clipping and the average in the same pass", "[optim]",
                   serial_backend, tbb_backend) {
  TestType be;
  constexpr std::size_t n = 20011;
  const shape flat{1, 1, 1, n};
  auto theta = be.template make<double>(flat), m = be.template make<double>(flat), v = be.template make<double>(flat);
  auto average = be.template make<double>(flat), gradient = be.template make<double>(flat);
  auto alone = be.template make<double>(flat), alone_m = be.template make<double>(flat),
       alone_v = be.template make<double>(flat);
  be.template normal<double>({1}, {0, 1}, theta.view());
  be.convert(theta.view(), average.view());
  be.convert(theta.view(), alone.view());
  std::vector<paper_adam> expected;
  std::vector<double> expected_average;
  for (std::size_t i = 0; i < n; ++i) {
    expected.push_back({theta.view()[i]});
    expected_average.push_back(theta.view()[i]);
  }
  const adam optimizer{.learning_rate = 0.01};
  const linear_warmup warm{4};
  for (int k = 1; k <= 6; ++k) {
    be.template normal<double>({.seed = 2, .step = static_cast<std::uint32_t>(k)}, {0, 1}, gradient.view());
    const double factor = warm.factor(static_cast<std::uint64_t>(k));
    optimizer.step_with_average<TestType, double>(be, static_cast<std::uint64_t>(k), theta.view(), m.view(), v.view(),
                                                  average.view(), gradient.view(), 0.75, factor, 0.5);
    optimizer.step<TestType, double>(be, static_cast<std::uint64_t>(k), alone.view(), alone_m.view(), alone_v.view(),
                                     gradient.view(), factor, 0.5);
    for (std::size_t i = 0; i < n; ++i) {
      expected[i].step(k, 0.5 * gradient.view()[i], 0.01 * std::min(1.0, k / 4.0));
      expected_average[i] = 0.75 * expected_average[i] + 0.25 * expected[i].theta;
    }
  }
  double worst = 0, worst_average = 0;
  for (std::size_t i = 0; i < n; ++i) {
    worst = std::max(worst, std::abs(theta.view()[i] - expected[i].theta));
    worst_average = std::max(worst_average, std::abs(average.view()[i] - expected_average[i]));
    if (alone.view()[i] != theta.view()[i]) FAIL_CHECK("the average changed the step at " << i);
  }
  // The same formula in another order, in double, for numbers below 5.
  CHECK(worst < 1e-14);
  CHECK(worst_average < 1e-14);
  CHECK_THROWS_AS(optimizer.body(0), error);
}

// What a task of the TBB backend works on by vectors; a body that no longer fits would be computed one by one.
static_assert(detail::WorksOnLanes<adam_body, float, float, float, const float> &&
              detail::WorksOnLanes<averaged_body<adam_body>, float, float, float, float, const float> &&
              !detail::WorksOnLanes<adam_body, double, double, double, const double>);

TEST_CASE("Adam by vectors is Adam by elements", "[optim]") {
  serial_backend one;
  tbb_backend many{2};
  // More than one task, and a rest that fills no vector.
  constexpr std::size_t n = 8192 + 8192 + 7;
  const auto run = [&](auto& be) {
    const shape flat{1, 1, 1, n};
    auto theta = be.template make<float>(flat), m = be.template make<float>(flat), v = be.template make<float>(flat);
    auto average = be.template make<float>(flat), gradient = be.template make<float>(flat);
    be.template normal<float>({1}, {0, 1}, theta.view());
    be.convert(theta.view(), average.view());
    for (int k = 1; k <= 6; ++k) {
      be.template normal<float>({.seed = 2, .step = static_cast<std::uint32_t>(k)}, {0, 1}, gradient.view());
      adam{.learning_rate = 0.01}.step_with_average<std::remove_reference_t<decltype(be)>, float>(
          be, static_cast<std::uint64_t>(k), theta.view(), m.view(), v.view(), average.view(), gradient.view(), 0.75);
    }
    std::vector<float> values(2 * n);
    be.download(view_of<std::remove_reference_t<decltype(be)>, const float>(theta.view()), values.data());
    be.download(view_of<std::remove_reference_t<decltype(be)>, const float>(average.view()), values.data() + n);
    return values;
  };
  const auto elements = run(one), vectors = run(many);
  // Six roundings of numbers up to 5, and those of the steps, which are near 0.01: 6 x 5 x 2^-24 = 1.8e-6.
  double worst = 0;
  for (std::size_t i = 0; i < 2 * n; ++i)
    worst = std::max(worst, std::abs(static_cast<double>(elements[i]) - static_cast<double>(vectors[i])));
  CHECK(worst < 2e-6);
}

TEMPLATE_TEST_CASE("the average follows the parameters", "[optim]", serial_backend, tbb_backend) {
  TestType be;
  auto average = be.template make<float>({1, 1, 1, 3}), value = be.template make<float>({1, 1, 1, 3});
  const float target[] = {1, 2, -4};
  be.upload(target, value.view());
  for (int k = 0; k < 2; ++k) ema{.keep = 0.5}.follow<TestType, float>(be, average.view(), value.view());
  for (std::size_t i = 0; i < 3; ++i) CHECK(average.view()[i] == 0.75f * target[i]);  // exact in binary
}

// Galerne 2024 gives the share of the new parameters, Song et al. 2021 the share that is kept.
TEST_CASE("a share of 1e-4 of the new parameters halves the old ones in 6931.1 steps", "[optim]") {
  serial_backend be;
  auto average = be.make<double>({1, 1, 1, 1}), value = be.make<double>({1, 1, 1, 1});
  const double m = 1e-4;
  CHECK_THAT(std::log(0.5) / std::log1p(-m), as_printed("6931.1"));
  average.view()[0] = 1;
  std::size_t steps = 0;
  for (; average.view()[0] > 0.5; ++steps)
    ema{.keep = 1 - m}.follow<serial_backend, double>(be, average.view(), value.view());
  CHECK(steps == 6932);
  // Taken for the decay, m forgets at once.
  average.view()[0] = 1;
  ema{.keep = m}.follow<serial_backend, double>(be, average.view(), value.view());
  CHECK(average.view()[0] < 0.001);
}

// As Daras et al. 2022, Appendix D, clip and warm up.
TEMPLATE_TEST_CASE("clipping measures the whole gradient", "[optim]", serial_backend, tbb_backend) {
  TestType be;
  for (const std::size_t n : {std::size_t{3}, std::size_t{4096}, std::size_t{10007}}) {
    auto gradient = be.template make<float>({1, 1, 1, n});
    std::vector<float> host(n, 2.0f);
    be.upload(host.data(), gradient.view());
    const double norm = 2 * std::sqrt(static_cast<double>(n));
    clip tight{1.0, n}, wide{1e9, n};
    CHECK(tight.template factor<TestType, float>(be, gradient.view()) == Approx(1 / (norm + 1e-6)).epsilon(1e-12));
    CHECK(tight.norm() == Approx(norm).epsilon(1e-12));
    CHECK(wide.template factor<TestType, float>(be, gradient.view()) == 1);
    host[n / 2] = std::numeric_limits<float>::quiet_NaN();
    be.upload(host.data(), gradient.view());
    CHECK(std::isnan(tight.template factor<TestType, float>(be, gradient.view())));
  }
}

TEST_CASE("the warm-up is linear and then 1", "[optim]") {
  CHECK(linear_warmup{5000}.factor(1) == 1.0 / 5000);
  CHECK(linear_warmup{5000}.factor(2500) == 0.5);
  CHECK(linear_warmup{5000}.factor(5000) == 1);
  CHECK(linear_warmup{5000}.factor(90000) == 1);
  CHECK(linear_warmup{}.factor(1) == 1);
}
