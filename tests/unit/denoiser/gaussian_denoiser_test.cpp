#include <softscore/denoiser/gaussian_denoiser.hpp>

#include "catch.hpp"

#include <cmath>
#include <span>
#include <vector>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/two_stage.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/operator/diagonal.hpp>
#include <softscore/operator/gaussian_blur.hpp>

#include "printed.hpp"
#include "random_batch.hpp"
#include "refusal.hpp"

using namespace softscore;
using Catch::Matchers::WithinAbs;

namespace {
// C = diag(1, .5) of the reference values (own derivation).
struct half_of_the_second {};
struct noise_at_two_times {
  level level_at(diffusion_time t) const { return level{t.value}; }
  double sigma_at(diffusion_time) const { return 0.3; }
};

const shape image{1, 1, 2, 3};
Eigen::MatrixXd some_covariance() {
  Eigen::MatrixXd root(6, 6);
  for (int i = 0; i < 6; ++i)
    for (int j = 0; j < 6; ++j) root(i, j) = std::sin(1.0 + 3.0 * i + 2.0 * j + i * j);
  return root * root.transpose() + 0.2 * Eigen::MatrixXd::Identity(6, 6);
}
const corruption<gaussian_blur, two_stage> blurring{gaussian_blur{.half_width = 3}, two_stage{.level_max = 3.0}};

}  // namespace

template <>
struct softscore::degradation<half_of_the_second> : softscore::diagonal<softscore::degradation<half_of_the_second>> {
  static double entry(const half_of_the_second&, level w, const shape&, pixel p) {
    return p.column == 1 ? 1 - 0.5 * w.value : 1.0;
  }
};

TEST_CASE("the exact denoiser has the reference values", "[denoiser]") {
  serial_backend be;
  const shape pair{1, 1, 1, 2};
  const gaussian_denoiser exact{corruption{half_of_the_second{}, noise_at_two_times{}}, Eigen::VectorXd::Zero(2),
                                Eigen::MatrixXd::Identity(2, 2), pair};
  auto x = be.make<double>(pair), h = be.make<double>(pair);
  x.view()[0] = 1;
  x.view()[1] = -1;
  auto memory = exact.workspace<double>(be, pair);
  exact.estimate(be, condition{{0, 1}, diffusion_time{1.0}}, x.view(), h.view(), memory);
  CHECK_THAT(h.view()[0], as_printed(".917431192661"));
  CHECK_THAT(h.view()[1], as_printed("-1.47058823529"));
  // h = c x / (c^2 + sigma^2) and score = -x / (c^2 + sigma^2), each element by itself.
  CHECK_THAT(h.view()[0], WithinAbs(1 / 1.09, 1e-12));
  CHECK_THAT(h.view()[1], WithinAbs(-0.5 / 0.34, 1e-12));
  const double first = (h.view()[0] - 1) / 0.09, second = (0.5 * h.view()[1] + 1) / 0.09;
  CHECK_THAT(first, as_printed("-.917431192661"));
  CHECK_THAT(second, as_printed("2.94117647059"));
  CHECK_THAT(first, WithinAbs(-1 / 1.09, 1e-12));
  CHECK_THAT(second, WithinAbs(1 / 0.34, 1e-12));
}

TEST_CASE("the exact denoiser is the regression of x_0 on x_t", "[denoiser]") {
  // h(x) - x_0 is uncorrelated with x: Cov(h, x) = Cov(x_0, x) = S C^T, and h is unbiased.
  const Eigen::VectorXd mean = Eigen::VectorXd::LinSpaced(6, -0.5, 1.0);
  const gaussian_denoiser exact{blurring, mean, some_covariance(), image};
  for (const double t : {0.05, 0.3, 1.0}) {
    const auto [of_x, covariance] = exact.marginal(diffusion_time{t});
    const Eigen::MatrixXd wanted = some_covariance() * exact.signal_matrix(diffusion_time{t}).transpose();
    // The marginal's condition number is below 1e6 (sigma above .01), and its entries below 10.
    CHECK((exact.gain_matrix(diffusion_time{t}) * covariance - wanted).cwiseAbs().maxCoeff() < 1e-8);
    CHECK((of_x - exact.signal_matrix(diffusion_time{t}) * mean).norm() < 1e-14);
  }
}

TEST_CASE("the exact denoiser answers each image at its time, and in float", "[denoiser]") {
  serial_backend be;
  const Eigen::VectorXd mean = Eigen::VectorXd::LinSpaced(6, -0.5, 1.0);
  const gaussian_denoiser exact{blurring, mean, some_covariance(), image};
  const shape three = image.with_images(3);
  const auto x = random_batch<double>(be, three, 1);
  const std::vector<diffusion_time> times{{1.0}, {0.4}, {0.1}};
  auto each = be.make<double>(three);
  auto memory = exact.workspace<double>(be, three);
  exact.estimate(be, condition{{0, 3}, per_image<diffusion_time>{std::span<const diffusion_time>{times}}}, x.view(),
                 each.view(), memory);
  for (std::size_t i = 0; i < 3; ++i) {
    auto alone = be.make<double>(image);
    exact.estimate(be, condition{{i, 1}, times[i]}, x.view().images(i, 1), alone.view(), memory);
    CHECK((values_of(be, alone.view()) == values_of(be, each.view().images(i, 1))));
    auto rough_x = be.make<float>(image), rough = be.make<float>(image);
    be.convert(x.view().images(i, 1), rough_x.view());
    exact.estimate(be, condition{{i, 1}, times[i]}, rough_x.view(), rough.view(), memory);
    // The input's rounding, 3 times 6e-8, through a gain that is at most a hundred here.
    for (std::size_t k = 0; k < 6; ++k) CHECK_THAT(rough.view()[k], WithinAbs(alone.view()[k], 2e-5));
  }
}

TEST_CASE("the exact denoiser's pullback is the transpose of its Jacobian", "[denoiser]") {
  serial_backend be;
  const gaussian_denoiser exact{blurring, Eigen::VectorXd::Zero(6), some_covariance(), image};
  const auto x = random_batch<double>(be, image, 1), v = random_batch<double>(be, image, 2);
  auto h = be.make<double>(image), pulled = be.make<double>(image);
  auto memory = exact.workspace<double>(be, image);
  const condition q{{0, 1}, diffusion_time{0.6}};
  exact.estimate(be, q, x.view(), h.view(), memory);
  exact.pullback(be, q, v.view(), pulled.view(), memory);
  // The mean is 0, so h is linear: <h(x), v> = <x, J^T v>.
  double left = 0, right = 0;
  be.dot(view<const double, host_space>(h.view()), v.view(), &left);
  be.dot(view<const double, host_space>(pulled.view()), x.view(), &right);
  CHECK_THAT(left, WithinAbs(right, 1e-12));
}

TEST_CASE("the exact denoiser refuses sizes that do not fit", "[denoiser]") {
  serial_backend be;
  CHECK_REFUSED((gaussian_denoiser{blurring, Eigen::VectorXd::Zero(5), some_covariance(), image}),
                "length of the mean is 5, but it must be the number of elements of an image");
  CHECK_REFUSED((gaussian_denoiser{blurring, Eigen::VectorXd::Zero(6), Eigen::MatrixXd::Zero(6, 5), image}),
                "columns of the covariance is 5, but it must be the length of the mean");
  const gaussian_denoiser exact{blurring, Eigen::VectorXd::Zero(6), some_covariance(), image};
  auto memory = exact.workspace<double>(be, image);
  auto x = be.make<double>(shape{1, 1, 3, 3}), h = be.make<double>(shape{1, 1, 3, 3});
  CHECK_REFUSED(exact.estimate(be, condition{{0, 1}, diffusion_time{0.6}}, x.view(), h.view(), memory),
                "elements of an image is 9, but it must be the length of the mean");
}
