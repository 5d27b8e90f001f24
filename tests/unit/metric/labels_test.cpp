// Bounds and likelihoods of images with labels: those of each class's own data.
#include "catch.hpp"

#include <cstddef>
#include <vector>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/variance_preserving.hpp>
#include <softscore/denoiser/gaussian_denoiser.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/metric/elbo.hpp>
#include <softscore/metric/log_likelihood.hpp>
#include <softscore/operator/scaling.hpp>

#include "class_network.hpp"
#include "random_batch.hpp"
#include "refusal.hpp"

using namespace softscore;
using Catch::Matchers::WithinRel;

namespace {

const corruption<scaling, variance_preserving> noise{scaling{}, variance_preserving{}};
const class_network network{{-0.8f, 0.1f, 0.9f}, 0.2, {1, 1, 1, 1}};
const epsilon_denoiser denoiser{network, noise};
const shape three{3, 1, 1, 1};
const std::vector<class_label> labels{2, 0, 1};

auto of_class(class_label k) {
  return gaussian_denoiser{noise, Eigen::VectorXd::Constant(1, network.parameters()[static_cast<std::size_t>(k)]),
                           Eigen::MatrixXd::Constant(1, 1, 0.04), three};
}

}  // namespace

TEST_CASE("the bound of images with labels is that of their classes", "[metric]") {
  serial_backend be;
  const auto x = random_batch<double>(be, three, 1);
  const time_grid grid = uniform_grid(50);
  const auto found = elbo(be, noise, denoiser, grid, x.view(), {.given = {labels}});
  for (std::size_t i = 0; i < 3; ++i) {
    const auto wanted = elbo(be, noise, of_class(labels[i]), grid, x.view().images(i, 1), {.first = i});
    // Sums of 50 terms that both find to about 1e-12, 1 / a being at most 150.
    CHECK_THAT(found.total(i), WithinRel(wanted.total(0), 1e-10));
  }
  const auto in_bits = [&](std::size_t batch) {
    return elbo_in_bits(be, noise, denoiser, grid, x.view(), {.chain = {.given = {labels}}, .batch_size = batch})
        .total();
  };
  const double mean = bits_per_dimension(found.total(0) + found.total(1) + found.total(2), 3);
  for (const std::size_t batch : {1u, 2u, 3u}) CHECK_THAT(in_bits(batch), WithinRel(mean, 1e-12));
  const std::vector<class_label> two{0, 1}, wrong{0, 1, 3};
  CHECK_REFUSED(elbo(be, noise, denoiser, grid, x.view(), {.given = {two}}),
                "number of labels is 2, but it must be that of the images, 3");
  CHECK_REFUSED(elbo_in_bits(be, noise, denoiser, grid, x.view(), {.chain = {.given = {two}}}),
                "number of labels is 2, but it must be that of the images, 3");
  CHECK_REFUSED(elbo(be, noise, denoiser, grid, x.view(), {.given = {wrong}}), "the label of image 2 is 3");
}

TEST_CASE("the likelihood of images with labels is that of their classes", "[metric]") {
  serial_backend be;
  const auto x = random_batch<double>(be, three, 1);
  const time_grid grid = uniform_grid(50, 1.0, 0.01);
  const auto found = log_likelihood(be, noise, denoiser, grid, x.view(), white_density{}, {.given = {labels}});
  for (std::size_t i = 0; i < 3; ++i) {
    const auto wanted = log_likelihood(be, noise, of_class(labels[i]), grid, x.view().images(i, 1), white_density{});
    CHECK_THAT(found.log_density[i], WithinRel(wanted.log_density[0], 1e-10));
  }
  const std::vector<class_label> two{0, 1};
  CHECK_REFUSED(log_likelihood(be, noise, denoiser, grid, x.view(), white_density{}, {.given = {two}}),
                "number of labels is 2, but it must be that of the images, 3");
}
