// Euler and Maruyama's method on the forward SDE (Galerne 2024; Song et al. 2021; Daras et al. 2022, Eq. 13): mean and
// covariance reach the marginals with order 1. They are measured through the shipped steps, which are affine in the
// clean image and in every number drawn, so that there is no sampling error.
#include <softscore/sampler/forward_euler_maruyama.hpp>

#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include <softscore/backend/serial.hpp>
#include <softscore/backend/tbb.hpp>
#include <softscore/core/eigen.hpp>
#include <softscore/corruption/cosine.hpp>
#include <softscore/denoiser/gaussian_denoiser.hpp>

#include "affine_step.hpp"
#include "gaussian_data.hpp"
#include "random_batch.hpp"
#include "refusal.hpp"

using namespace softscore;
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;

namespace {

// A schedule whose noise falls faster than the signal.
struct falling {
  level level_at(diffusion_time t) const { return level{0.1 * t.value}; }
  double sigma_at(diffusion_time t) const { return 1.0 - 0.5 * t.value; }
  double level_rate_at(diffusion_time) const { return 0.1; }
  double sigma_rate_at(diffusion_time) const { return -0.5; }
};

// Image 0 is zero without noise, the next d are the unit images, and each of the others gets a single 1: first those of
// the start, then step by step.
class unit_walk_backend : public host_verbs<unit_walk_backend> {
 public:
  template <class Body>
  void parallel(std::size_t count, const Body& body) const {
    for (std::size_t i = 0; i < count; ++i) body(i);
  }
  template <Scalar T>
  void normal(noise_key key, image_range, view<T, host_space> out) const {
    const std::size_t d = out.extent().per_image();
    const std::size_t draw = key.stream == noise_stream::start ? 0 : 1 + key.step;
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = T{};
    for (std::size_t i = 0; i < d; ++i) out[(1 + d + draw * d + i) * d + i] = T{1};
  }
};

// What a walk makes of clean images with this distribution.
template <class Walk>
gaussian_distribution distribution_of_walk(const Walk& walk, std::size_t steps, const gaussian_distribution& clean) {
  const std::size_t d = gaussian_image.per_image(), images = 1 + d + (1 + steps) * d;
  unit_walk_backend be;
  auto from = be.make<double>(gaussian_image.with_images(images)), to = be.make<double>(from.view().extent());
  for (std::size_t i = 0; i < d; ++i) from.view()[(1 + i) * d + i] = 1.0;
  walk(be, from.view(), image_range{0, images}, to.view());
  Eigen::MatrixXd rows = as_matrix(to.view());
  const Eigen::RowVectorXd constant = rows.row(0);
  rows.rowwise() -= constant;
  const auto n = static_cast<Eigen::Index>(d);
  const Eigen::MatrixXd state = rows.middleRows(1, n), noise = rows.bottomRows(rows.rows() - 1 - n);
  return {state.transpose() * clean.mean + constant.transpose(),
          state.transpose() * clean.covariance * state + noise.transpose() * noise};
}

constexpr double lowest = 0.02;

// The order of both errors in the number of steps, from a low time to 1. Where a mean is exact, as under VE, its error
// is rounding: 512 steps of numbers below 3.
template <class Walk>
void check_order(const Walk& walk, const gaussian_distribution& clean, const gaussian_distribution& wanted,
                 double from = lowest) {
  double last_mean = 0, last_covariance = 0;
  for (const std::size_t steps : {64u, 128u, 256u, 512u}) {
    const time_grid grid = uniform_grid(steps, 1.0, from);
    const auto found = distribution_of_walk([&](auto& be, auto clean_images, const image_range& images,
                                                auto to) { walk(be, grid, clean_images, images, to); },
                                            steps, clean);
    const double mean = (found.mean - wanted.mean).cwiseAbs().maxCoeff(),
                 covariance = (found.covariance - wanted.covariance).cwiseAbs().maxCoeff();
    CAPTURE(steps, last_mean, mean, last_covariance, covariance);
    if (steps > 64) {
      CHECK_THAT(std::log2(last_covariance / covariance), WithinRel(1.0, 0.1));
      if (last_mean > 512 * 3 * 1.2e-16) CHECK_THAT(std::log2(last_mean / mean), WithinRel(1.0, 0.1));
    }
    last_mean = mean;
    last_covariance = covariance;
  }
  CHECK(last_mean < 0.01);
  CHECK(last_covariance < 0.05);
}

// A clean image by itself: the distribution is N(C_1 x_0, sigma_1^2 I).
template <class C>
void check_image(const C& corruption, double lowest_time = lowest) {
  const auto walk = [&](auto& be, const time_grid& grid, auto from, const image_range& images, auto to) {
    forward_euler_maruyama(be, corruption, grid, from, images, 0, to);
  };
  const gaussian_denoiser<C> exact{corruption, gaussian_mean(), gaussian_covariance(), gaussian_image};
  const double sigma = corruption.sigma(diffusion_time{1.0});
  check_order(
      walk, {gaussian_mean(), Eigen::MatrixXd::Zero(6, 6)},
      {exact.signal_matrix(diffusion_time{1.0}) * gaussian_mean(), sigma * sigma * Eigen::MatrixXd::Identity(6, 6)},
      lowest_time);
}

// All data, with the exact estimate.
template <class C>
void check_data(const C& corruption) {
  const gaussian_denoiser<C> exact{corruption, gaussian_mean(), gaussian_covariance(), gaussian_image};
  const auto walk = [&](auto& be, const time_grid& grid, auto from, const image_range& images, auto to) {
    forward_euler_maruyama(be, corruption, exact, grid, from, images, 0, to);
  };
  const auto [mean, covariance] = exact.marginal(diffusion_time{1.0});
  check_order(walk, {gaussian_mean(), gaussian_covariance()}, {mean, covariance});
}

}  // namespace

TEST_CASE("the forward SDE leads a clean image to its distribution, with order 1", "[sampler]") {
  SECTION("exploding") { check_image(exploding()); }
  SECTION("preserving") { check_image(preserving()); }
  SECTION("preserving, from time 0, where sigma rises like a root") { check_image(preserving(), 0.0); }
  SECTION("cosine") { check_image(corruption{scaling{}, cosine{.horizon = 0.85}}); }
  SECTION("blur") { check_image(blurring()); }
  SECTION("fade") { check_image(fading()); }
}

TEST_CASE("with the exact estimate the forward SDE leads the data to the marginal, with order 1", "[sampler]") {
  SECTION("exploding") { check_data(exploding()); }
  SECTION("preserving") { check_data(preserving()); }
  SECTION("blur") { check_data(blurring()); }
  SECTION("fade") { check_data(fading()); }
}

TEST_CASE("a walk forward has fresh noise in every step, the same in any batch and on any backend", "[sampler]") {
  const auto preserved = preserving();
  const shape one{1, 1, 1, 1};
  const std::size_t count = 20000;
  const time_grid grid = uniform_grid(64, 1.0, lowest);
  serial_backend be;
  auto clean = be.make<double>(one.with_images(count)), x = be.make<double>(one.with_images(count));
  for (std::size_t i = 0; i < count; ++i) clean.view()[i] = 0.7;
  forward_euler_maruyama(be, preserved, grid, clean.view(), {0, count}, 3, x.view());
  double mean = 0, square = 0;
  for (std::size_t i = 0; i < count; ++i) mean += x.view()[i] / count;
  for (std::size_t i = 0; i < count; ++i) square += std::pow(x.view()[i] - mean, 2) / count;
  const diffusion_time end{1.0};
  const double sigma = preserved.sigma(end);
  // Four standard errors, and the method's own error: a hundredth after 64 steps, as above.
  CHECK_THAT(mean, WithinAbs(0.7 * preserved.signal_gain(end), 4 * sigma / std::sqrt(count) + 0.01));
  CHECK_THAT(square, WithinAbs(sigma * sigma, 4 * sigma * sigma * std::sqrt(2.0 / count) + 0.02));

  auto part = be.make<double>(one.with_images(10));
  forward_euler_maruyama(be, preserved, grid, clean.view().images(0, 10), {500, 10}, 3, part.view());
  tbb_backend threads;
  auto there = threads.make<double>(one.with_images(count)), drawn = threads.make<double>(one.with_images(count));
  std::fill_n(&there.view()[0], count, 0.7);
  forward_euler_maruyama(threads, preserved, grid, there.view(), {0, count}, 3, drawn.view());
  for (std::size_t i = 0; i < 10; ++i) {
    CHECK(part.view()[i] == x.view()[500 + i]);
    CHECK_THAT(drawn.view()[500 + i], WithinAbs(x.view()[500 + i], 1e-13));  // one may contract what the other does not
  }
}

TEST_CASE("the forward SDE refuses what does not fit", "[sampler]") {
  serial_backend be;
  auto clean = be.make<double>(gaussian_image), x = be.make<double>(gaussian_image.with_images(2));
  const auto grid = uniform_grid(4, 1.0, lowest);
  CHECK_REFUSED(forward_euler_maruyama(be, exploding(), grid, clean.view(), {0, 1}, 0, x.view()),
                "shape of x is 2 x 1 x 2 x 3, but it must be that of the clean images");
  CHECK_REFUSED(forward_euler_maruyama(be, exploding(), grid, clean.view(), {0, 2}, 0, x.view().images(0, 1)),
                "number of images is 2, but it must be that of the clean images");
  // Nothing is left of the signal at time 1. No step starts there.
  const corruption whole{scaling{}, cosine{}};
  forward_euler_maruyama(be, whole, uniform_grid(4), clean.view(), {0, 1}, 0, x.view().images(0, 1));
  for (std::size_t i = 0; i < gaussian_image.per_image(); ++i) CHECK(std::isfinite(x.view()[i]));
  // Noise that falls cannot be taken away by adding some.
  CHECK_REFUSED(forward_euler_maruyama(be, corruption{scaling{}, falling{}}, grid, clean.view(), {0, 1}, 0,
                                       x.view().images(0, 1)),
                "variance of the noise that a step adds is -");
}
