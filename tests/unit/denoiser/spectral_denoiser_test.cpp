#include <softscore/denoiser/spectral_denoiser.hpp>

#include "catch.hpp"

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/denoiser/gaussian_denoiser.hpp>
#include <softscore/operator/dct_blur.hpp>
#include <softscore/operator/fade.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/sampler/integrate.hpp>
#include <softscore/sampler/momentum.hpp>

#include "opaque_backend.hpp"
#include "random_batch.hpp"
#include "refusal.hpp"

using namespace softscore;
using Catch::Matchers::WithinAbs;

namespace {

const shape image{1, 2, 3, 4};
const variance_exploding noise{.sigma_min = 0.1, .sigma_max = 0.8, .level_max = 0.9};

std::vector<double> some_mean() {
  std::vector<double> mean(24);
  for (std::size_t k = 0; k < 24; ++k) mean[k] = std::sin(1.0 + static_cast<double>(k));
  return mean;
}
std::vector<double> some_variances() {
  std::vector<double> variances(24);
  for (std::size_t k = 0; k < 24; ++k) variances[k] = k % 5 == 0 ? 0.0 : 1.0 / static_cast<double>(1 + k);
  return variances;
}

// The same distribution for the dense oracle: V diag(variances) V^T, V from the operator's own modes.
template <class C>
Eigen::MatrixXd dense_covariance(const C& corruption) {
  const auto parts = degradation<typename C::operator_type>::svd(corruption.linear_operator(),
                                                                 corruption.level_at(diffusion_time{0.7}), image);
  const Eigen::MatrixXd modes =
      detail::dense_map(image, [&](auto& be, auto units, auto columns) { parts.from_modes(be, units, columns); });
  const auto variances = some_variances();
  return modes * as_vector(std::span<const double>{variances}).asDiagonal() * modes.transpose();
}

template <class C>
void check_against_dense(const C& corruption) {
  const auto mean = some_mean();
  const spectral_denoiser exact{corruption, mean, some_variances(), image};
  const gaussian_denoiser dense{corruption, as_vector(std::span<const double>{mean}), dense_covariance(corruption),
                                image};
  serial_backend be;
  const shape three = image.with_images(3);
  const auto x = random_batch<double>(be, three, 1), v = random_batch<double>(be, three, 2);
  auto a = be.make<double>(three), b = be.make<double>(three);
  auto of_exact = exact.template workspace<double>(be, three);
  auto of_dense = dense.template workspace<double>(be, three);
  const std::vector<diffusion_time> times{{1.0}, {0.4}, {0.1}};
  const auto check = [&](const per_image<diffusion_time>& at) {
    const condition q{{0, 3}, at};
    std::vector<double> p(3), r(3);
    const auto gap = [&] {
      double most = 0;
      for (std::size_t i = 0; i < three.size(); ++i) most = std::max(most, std::abs(a.view()[i] - b.view()[i]));
      return most;
    };
    exact.estimate(be, q, x.view(), a.view(), of_exact);
    dense.estimate(be, q, x.view(), b.view(), of_dense);
    // The marginal's condition number is below 100 (1 / sigma_min^2), its inverse exact to 1e-14 times that.
    CHECK(gap() < 1e-12);
    exact.pullback(be, q, v.view(), a.view(), of_exact);
    dense.pullback(be, q, v.view(), b.view(), of_dense);
    CHECK(gap() < 1e-12);
    exact.log_density(be, q, x.view(), p.data(), of_exact);
    dense.log_density(be, q, x.view(), r.data(), of_dense);
    for (std::size_t i = 0; i < 3; ++i) CHECK_THAT(p[i], WithinAbs(r[i], 1e-11 * (1 + std::abs(r[i]))));
  };
  check(per_image<diffusion_time>{std::span<const diffusion_time>{times}});
  check(diffusion_time{0.6});
  check(diffusion_time{0.6});
}

}  // namespace

TEST_CASE("the spectral denoiser is the dense one where the covariance has the operator's modes", "[denoiser]") {
  SECTION("a blur by cosines") { check_against_dense(corruption{dct_blur{}, noise}); }
  SECTION("a fade") { check_against_dense(corruption{fade{}, noise}); }
}

TEST_CASE("the spectral denoiser works where the host cannot touch the arrays", "[denoiser]") {
  const corruption blurring{dct_blur{}, noise};
  const spectral_denoiser exact{blurring, some_mean(), some_variances(), image};
  const auto draw = [&](auto& be) {
    const auto grid = uniform_grid(5);
    auto end =
        integrate(be, momentum{}, blurring, exact, grid, draw_start<float>(be, blurring, grid, image, {0, 2}, 3), 3);
    return values_of(be, end.x.view());
  };
  serial_backend serial;
  opaque_backend opaque;
  CHECK((draw(serial) == draw(opaque)));
}

TEST_CASE("the spectral denoiser refuses modes that change, and sizes that do not fit", "[denoiser]") {
  const corruption changing{gaussian_blur{.half_width = 3}, noise};
  const spectral_denoiser exact{changing, some_mean(), some_variances(), image};
  CHECK_REFUSED(exact.check(diffusion_time{1.0}), "but it must be 0 for a spectral denoiser");
  const corruption blurring{dct_blur{}, noise};
  CHECK_REFUSED((spectral_denoiser{blurring, {1.0}, some_variances(), image}),
                "length of the mean is 1, but it must be the number of elements of an image");
  CHECK_REFUSED((spectral_denoiser{blurring, some_mean(), std::vector<double>(24, -1.0), image}),
                "variance of a mode is -1, but it must be at least 0");
}
