// Denoisers that wrap denoisers: guidance by a classifier (Dhariwal and Nichol 2021) and without one (Ho and Salimans
// 2022), thresholding (Saharia et al. 2022).
#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/variance_preserving.hpp>
#include <softscore/denoiser/classifier_free.hpp>
#include <softscore/denoiser/classifier_guided.hpp>
#include <softscore/denoiser/gaussian_denoiser.hpp>
#include <softscore/denoiser/mixture_denoiser.hpp>
#include <softscore/denoiser/thresholding.hpp>
#include <softscore/operator/scaling.hpp>

#include "random_batch.hpp"
#include "refusal.hpp"
#include "slope.hpp"

using namespace softscore;
using Catch::Matchers::WithinAbs;

namespace {

const shape image{1, 1, 2, 2};
using preserving = corruption<scaling, variance_preserving>;
const preserving noise{scaling{}, variance_preserving{}};

Eigen::MatrixXd some_covariance(double phase) {
  Eigen::MatrixXd root(4, 4);
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 4; ++j) root(i, j) = 0.5 * std::sin(phase + 3.0 * i + 2.0 * j + i * j);
  return root * root.transpose() + 0.1 * Eigen::MatrixXd::Identity(4, 4);
}
const gaussian_mixture kinds{{0.3, Eigen::VectorXd::LinSpaced(4, -1.0, 1.0), some_covariance(1.0)},
                             {0.7, Eigen::VectorXd::LinSpaced(4, 0.5, -0.5), some_covariance(2.0)}};

// The exact classifier of a mixture: grad log P(component 0 given x_t) = score of component 0 - score of all.
struct of_first_kind {
  const mixture_denoiser<preserving>& all;
  const gaussian_denoiser<preserving>& first;
  struct nothing {};

  template <Scalar T, class Be>
  nothing workspace(Be&, shape) const {
    return {};
  }
  template <class Be, Scalar T>
  void gradient(Be& be, const condition& q, in_of<Be, T> x, out_of<Be, T> out, nothing&) const {
    std::size_t i = 0;
    detail::map_images_on_host<T>(be, image, x, out, [&](std::size_t, const Eigen::VectorXd& each) {
      const diffusion_time t = q.times[i++];
      return Eigen::VectorXd{first.score(t, each) - all.score(t, each)};
    });
  }
};

template <class D>
std::vector<double> estimates(const D& denoiser, const condition& q, const host_array<double>& x) {
  serial_backend be;
  auto memory = denoiser.template workspace<double>(be, x.extent());
  auto h = be.make<double>(x.extent());
  denoiser.estimate(be, q, x.view(), h.view(), memory);
  return values_of(be, h.view());
}

// Returns the numbers it is given for an estimate.
struct scripted {
  [[maybe_unused]] static constexpr int evaluations = 1;
  std::vector<double> values;
  struct nothing {};
  template <Scalar T, class Be>
  nothing workspace(Be&, shape) const {
    return {};
  }
  template <class Be, Scalar T>
  void estimate(Be& be, const condition&, in_of<Be, T>, out_of<Be, T> out, nothing&) const {
    const std::vector<T> host(values.begin(), values.end());
    be.upload(host.data(), out);
  }
};

}  // namespace

TEST_CASE("classifier guidance with the exact classifier is the conditional denoiser", "[denoiser]") {
  serial_backend be;
  const mixture_denoiser all{noise, kinds, image};
  const gaussian_denoiser first{noise, kinds[0].mean, kinds[0].covariance, image};
  const classifier_guided guided{all, noise, of_first_kind{all, first}};
  const auto x = random_batch<double>(be, image.with_images(3), 1);
  const std::vector<diffusion_time> times{{0.9}, {0.4}, {0.05}};
  const condition q{{0, 3}, per_image<diffusion_time>{std::span<const diffusion_time>{times}}};
  const auto wanted = estimates(first, q, x), found = estimates(guided, q, x);
  // The scores are at most 1e2 here, each exact to a few roundings, and sigma^2 / a is at most 60.
  for (std::size_t i = 0; i < found.size(); ++i) CHECK_THAT(found[i], WithinAbs(wanted[i], 1e-11));
}

TEST_CASE("classifier-free guidance is guidance by the classifier that its two denoisers imply", "[denoiser]") {
  serial_backend be;
  const mixture_denoiser all{noise, kinds, image};
  const gaussian_denoiser first{noise, kinds[0].mean, kinds[0].covariance, image};
  const auto x = random_batch<double>(be, image, 2);
  const condition q{{0, 1}, diffusion_time{0.3}};
  for (const double scale : {0.0, 0.5, 1.0, 3.0}) {
    const auto free = estimates(classifier_free{first, all, scale}, q, x);
    const auto by_gradient = estimates(classifier_guided{all, noise, of_first_kind{all, first}, scale}, q, x);
    for (std::size_t i = 0; i < 4; ++i) CHECK_THAT(free[i], WithinAbs(by_gradient[i], 1e-12));
  }
  static_assert(classifier_free<decltype(first), decltype(all)>::evaluations == 2);
  static_assert(classifier_guided<decltype(all), preserving, of_first_kind>::evaluations == 1);
}

TEST_CASE("guidance pulls back what it adds", "[denoiser]") {
  serial_backend be;
  const mixture_denoiser all{noise, kinds, image};
  const gaussian_denoiser first{noise, kinds[0].mean, kinds[0].covariance, image};
  const classifier_free guided{first, all, 2.5};
  const condition q{{0, 1}, diffusion_time{0.3}};
  auto x = be.make<double>(image), h = be.make<double>(image), v = be.make<double>(image),
       pulled = be.make<double>(image);
  const auto place = normal_numbers(4, 1), along = normal_numbers(4, 2);
  be.upload(place.data(), x.view());
  be.upload(along.data(), v.view());
  auto memory = guided.workspace<double>(be, image);
  guided.estimate(be, q, view<const double, host_space>(x.view()), h.view(), memory);
  guided.pullback(be, q, view<const double, host_space>(v.view()), pulled.view(), memory);
  const auto product = [&](const std::vector<double>& at) {
    be.upload(at.data(), x.view());
    const auto values = estimates(guided, q, x);
    double sum = 0;
    for (std::size_t i = 0; i < 4; ++i) sum += values[i] * along[i];
    return sum;
  };
  CHECK(slope_error(product, place, values_of(be, pulled.view())) < 1e-7);  // the bound of slope.hpp
}

TEST_CASE("classifier guidance refuses a time without signal", "[denoiser]") {
  struct gone {
    level level_at(diffusion_time t) const { return level{t.value == 1.0 ? INFINITY : 0.0}; }
    double sigma_at(diffusion_time) const { return 1.0; }
  };
  const corruption ending{scaling{}, gone{}};
  const mixture_denoiser all{noise, kinds, image};
  const gaussian_denoiser first{noise, kinds[0].mean, kinds[0].covariance, image};
  const classifier_guided guided{all, ending, of_first_kind{all, first}};
  guided.check(diffusion_time{0.5});
  CHECK_REFUSED(guided.check(diffusion_time{1.0}),
                "the signal's gain under classifier guidance is 0, but it must be above 0");
}

TEST_CASE("static thresholding clips to the range", "[denoiser]") {
  serial_backend be;
  const auto x = random_batch<double>(be, image, 1);
  const condition q{{0, 1}, diffusion_time{0.5}};
  const auto wide = estimates(static_thresholding{scripted{{-1.5, -0.25, 0.5, 7.0}}}, q, x);
  CHECK((wide == std::vector<double>{-1.0, -0.25, 0.5, 1.0}));
  const auto pixels = estimates(static_thresholding{scripted{{-1.5, -0.25, 0.5, 7.0}}, pixel_range{0.0, 1.0}}, q, x);
  CHECK((pixels == std::vector<double>{0.0, 0.0, 0.5, 1.0}));
  CHECK_REFUSED((static_thresholding{scripted{}, pixel_range{1.0, 1.0}}),
                "lower end of the pixels' range is 1, but it must be below the upper end");
}

TEST_CASE("static thresholding pulls back through the pixels that it does not clip", "[denoiser]") {
  serial_backend be;
  const gaussian_denoiser exact{noise, Eigen::VectorXd::Zero(4), some_covariance(1.0), image};
  const condition q{{0, 1}, diffusion_time{0.3}};
  auto x = be.make<double>(image), h = be.make<double>(image), v = be.make<double>(image),
       pulled = be.make<double>(image);
  const auto place = normal_numbers(4, 1), along = normal_numbers(4, 2);
  be.upload(place.data(), x.view());
  be.upload(along.data(), v.view());
  // Two pixels are clipped and two are not, none so near the edge that it crosses it below.
  const auto whole = estimates(exact, q, x);
  auto sizes = whole;
  for (double& size : sizes) size = std::abs(size);
  std::sort(sizes.begin(), sizes.end());
  REQUIRE(sizes[2] - sizes[1] > 0.05);
  const double edge = 0.5 * (sizes[1] + sizes[2]);
  const static_thresholding clipped{exact, pixel_range{-edge, edge}};
  auto memory = clipped.workspace<double>(be, image);
  clipped.estimate(be, q, view<const double, host_space>(x.view()), h.view(), memory);
  clipped.pullback(be, q, view<const double, host_space>(v.view()), pulled.view(), memory);
  const auto product = [&](const std::vector<double>& at) {
    be.upload(at.data(), x.view());
    const auto values = estimates(clipped, q, x);
    double sum = 0;
    for (std::size_t i = 0; i < 4; ++i) sum += values[i] * along[i];
    return sum;
  };
  CHECK(slope_error(product, place, values_of(be, pulled.view())) < 1e-7);
}

TEST_CASE("dynamic thresholding divides by each image's own percentile", "[denoiser]") {
  serial_backend be;
  const shape five{2, 1, 1, 5};
  const auto x = random_batch<double>(be, five, 1);
  const condition q{{0, 2}, diffusion_time{0.5}};
  // Sizes .5 1 2 3 4: the 60th percentile lies at place .6 * 4 = 2.4 between 2 and 3. The second image stays below 1.
  const scripted given{{-4.0, 0.5, 2.0, -1.0, 3.0, 0.1, -0.2, 0.3, 0.9, -0.9}};
  const auto found = estimates(dynamic_thresholding{given, 60.0}, q, x);
  const std::vector<double> wanted{-1.0, 0.5 / 2.4, 2.0 / 2.4, -1.0 / 2.4, 1.0, 0.1, -0.2, 0.3, 0.9, -0.9};
  for (std::size_t i = 0; i < 10; ++i) CHECK_THAT(found[i], WithinAbs(wanted[i], 1e-15));
  // The ends: the largest, and the smallest or 1.
  const auto most = estimates(dynamic_thresholding{given, 100.0}, q, x);
  const auto least = estimates(dynamic_thresholding{given, 0.0}, q, x);
  for (std::size_t i = 0; i < 5; ++i) {
    CHECK_THAT(most[i], WithinAbs(given.values[i] / 4.0, 1e-15));
    CHECK_THAT(least[i], WithinAbs(std::min(1.0, std::max(-1.0, given.values[i])), 1e-15));
  }
  // Pixels in [0, 1]: u = 2 h - 1 is thresholded.
  scripted pixels = given;
  for (double& value : pixels.values) value = 0.5 * (value + 1.0);
  const auto of_pixels = estimates(dynamic_thresholding{pixels, 60.0, pixel_range{0.0, 1.0}}, q, x);
  for (std::size_t i = 0; i < 10; ++i) CHECK_THAT(of_pixels[i], WithinAbs(0.5 * (wanted[i] + 1.0), 1e-15));
  // The threshold 2.4 is cut to 1.5, which cuts the image to [-1.5, 1.5] and divides it by 1.5.
  const auto capped = estimates(dynamic_thresholding{given, 60.0, pixel_range{}, 1.5}, q, x);
  const std::vector<double> cut{-1.0, 0.5 / 1.5, 1.0, -1.0 / 1.5, 1.0, 0.1, -0.2, 0.3, 0.9, -0.9};
  for (std::size_t i = 0; i < 10; ++i) CHECK_THAT(capped[i], WithinAbs(cut[i], 1e-15));
  CHECK_REFUSED((dynamic_thresholding{given, 60.0, pixel_range{}, 0.5}), "threshold is 0.5, but it must be at least 1");
  CHECK_REFUSED((dynamic_thresholding{given, 101.0}), "percentile is 101, but it must be between 0 and 100");
}
