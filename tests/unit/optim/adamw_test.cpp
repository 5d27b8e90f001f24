// AdamW (Loshchilov and Hutter 2019), the sum of the gradients of a batch's parts.
#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <softscore/backend/serial.hpp>
#include <softscore/backend/tbb.hpp>
#include <softscore/optim/adamw.hpp>
#include <softscore/optim/gradient_sum.hpp>

#include "random_batch.hpp"

using namespace softscore;

namespace {

// AdamW as PyTorch documents it, one number at a time: first the decay, then Adam with corrected moments.
struct documented_adamw {
  double theta, m = 0, v = 0;
  void step(int k, double g, double rate, double decay) {
    theta -= rate * decay * theta;
    m = 0.9 * m + 0.1 * g;
    v = 0.999 * v + 0.001 * g * g;
    theta -= rate * (m / (1 - std::pow(0.9, k))) / (std::sqrt(v / (1 - std::pow(0.999, k))) + 1e-8);
  }
};

}  // namespace

TEMPLATE_TEST_CASE("AdamW decays the parameters apart from Adam's step", "[optim]", serial_backend, tbb_backend) {
  TestType be;
  constexpr std::size_t n = 10007;
  const shape flat{1, 1, 1, n};
  auto theta = random_batch<double>(be, flat, 1);
  auto m = be.template make<double>(flat), v = be.template make<double>(flat);
  std::vector<documented_adamw> expected;
  for (const double start : values_of(be, theta.view())) expected.push_back({start});
  const adamw optimizer{.learning_rate = 0.02, .weight_decay = 0.1};
  for (int k = 1; k <= 6; ++k) {
    const double factor = 1.0 / k, clipped = 0.5;
    auto gradient = random_batch<double>(be, flat, 10u + static_cast<unsigned>(k));
    optimizer.step<TestType, double>(be, static_cast<std::uint64_t>(k), theta.view(), m.view(), v.view(),
                                     gradient.view(), factor, clipped);
    for (std::size_t i = 0; i < n; ++i) expected[i].step(k, clipped * gradient.view()[i], 0.02 * factor, 0.1);
  }
  double worst = 0;
  for (std::size_t i = 0; i < n; ++i) worst = std::max(worst, std::abs(theta.view()[i] - expected[i].theta));
  // The same formula in another order, in double, for numbers below 5.
  CHECK(worst < 1e-14);
}

TEST_CASE("without a gradient AdamW shrinks by (1 - rate decay)^k, and by nothing without decay", "[optim]") {
  serial_backend be;
  auto theta = be.make<double>({1, 1, 1, 2}), m = be.make<double>({1, 1, 1, 2}), v = be.make<double>({1, 1, 1, 2}),
       gradient = be.make<double>({1, 1, 1, 2});
  const double start[] = {3.0, -0.25};
  be.upload(start, theta.view());
  const adamw optimizer{.learning_rate = 0.1, .weight_decay = 0.5}, plain{.learning_rate = 0.1, .weight_decay = 0.0};
  for (std::uint64_t k = 1; k <= 20; ++k)
    optimizer.step<serial_backend, double>(be, k, theta.view(), m.view(), v.view(), gradient.view());
  // Twenty roundings.
  for (std::size_t i = 0; i < 2; ++i) CHECK(theta.view()[i] == Approx(start[i] * std::pow(0.95, 20)).epsilon(1e-14));
  be.upload(start, theta.view());
  for (std::uint64_t k = 1; k <= 20; ++k)
    plain.step<serial_backend, double>(be, k, theta.view(), m.view(), v.view(), gradient.view());
  for (std::size_t i = 0; i < 2; ++i) CHECK(theta.view()[i] == start[i]);
}

TEMPLATE_TEST_CASE("the mean of many gradients keeps its precision", "[optim]", serial_backend, tbb_backend) {
  TestType be;
  constexpr std::size_t n = 1000, parts = 256;
  const shape flat{1, 1, 1, n};
  gradient_sum<TestType> sum{be, flat};
  std::vector<double> exact(n), sizes(n);
  auto mean = be.template make<float>(flat);
  for (std::size_t part = 0; part < parts; ++part) {
    auto gradient = random_batch<float>(be, flat, static_cast<unsigned>(part));
    const auto values = values_of(be, gradient.view());
    for (std::size_t i = 0; i < n; ++i) {
      exact[i] += static_cast<double>(values[i]);
      sizes[i] += std::abs(static_cast<double>(values[i]));
    }
    be.upload(values.data(), mean.view());
    sum.add(be, part, parts, mean.view());
  }
  for (std::size_t i = 0; i < n; ++i) {
    // Kahan 1965: two roundings of the sum of the absolute values, and terms of second order (256 times 2^-48); the
    // division adds one.
    CHECK(std::abs(static_cast<double>(mean.view()[i]) - exact[i] / parts) < 4 * 0x1p-24 * sizes[i] / parts);
  }
}
