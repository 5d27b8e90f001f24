// Entropic transport, on the costs of cost_matrix.hpp (Cuturi 2013; Daras et al. 2022, Appendix C; debiased, Feydy et
// al. 2019; stabilized, Schmitzer 2019): reference values, the closed form between normal distributions, an exact
// assignment, the bounds that regularization obeys, and small regularizations that would overflow a plain kernel.
// Sliced Wasserstein beside it (Rabin et al. 2011; Bonneel et al. 2015).
#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include <softscore/backend/tbb/backend.hpp>
#include <softscore/metric/sinkhorn.hpp>
#include <softscore/metric/sliced_wasserstein.hpp>

#include "assignment.hpp"
#include "refusal.hpp"
#include "slope.hpp"

using namespace softscore;
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;

namespace {

row_matrix<double> column_of(const std::vector<double>& numbers) {
  return as_matrix(numbers.data(), numbers.size(), 1);
}

template <class T>
row_matrix<T> cloud(std::size_t rows, std::size_t columns, unsigned seed, double shift = 0.0) {
  const auto numbers = normal_numbers(rows * columns, seed);
  return (as_matrix(numbers.data(), rows, columns).array() + shift).matrix().template cast<T>();
}

const sinkhorn_options exactly_half{.regularization = 0.5, .relative = false, .tolerance = 1e-14, .rounds = 5000};

}  // namespace

TEST_CASE("three points have the reference transport", "[metric]") {
  const auto x = column_of({0, 1, 2.5}), y = column_of({.2, 1.4, 3});
  CHECK_THAT(wasserstein_of_numbers({0, 1, 2.5}, {.2, 1.4, 3}), WithinAbs(0.15, 1e-15));
  const auto between = sinkhorn<double>(squared_distances<double>(x, y), exactly_half);
  CHECK(between.converged);
  // 12 printed digits.
  CHECK_THAT(between.cost, WithinAbs(0.228788786414, 5e-13));
  CHECK_THAT(sinkhorn<double>(squared_distances<double>(x, x), exactly_half).cost, WithinAbs(0.0945439701661, 5e-14));
  CHECK_THAT(sinkhorn_divergence<double>(x, y, exactly_half), WithinAbs(0.151390748337, 5e-13));
  CHECK_THAT(sinkhorn_divergence<double>(x, x, exactly_half), WithinAbs(0.0, 1e-13));
  CHECK_THAT(sinkhorn_distance<double>(x, y, exactly_half), WithinAbs(std::sqrt(0.228788786414), 1e-12));
  // The plan itself from the potentials: its marginals, and <P, C> + reg KL(P | a b^T).
  const auto cost = squared_distances<double>(x, y);
  double value = 0;
  for (Eigen::Index i = 0; i < 3; ++i) {
    double row = 0, column = 0;
    for (Eigen::Index j = 0; j < 3; ++j) {
      const auto plan = [&](Eigen::Index r, Eigen::Index c) {
        return std::exp((between.f[r] + between.g[c] - cost(r, c)) / 0.5) / 9;
      };
      row += plan(i, j);
      column += plan(j, i);
      value += plan(i, j) * (cost(i, j) + 0.5 * std::log(9 * plan(i, j)));
    }
    CHECK_THAT(row, WithinAbs(1.0 / 3, 1e-13));
    CHECK_THAT(column, WithinAbs(1.0 / 3, 1e-13));
  }
  CHECK_THAT(between.value, WithinAbs(value, 1e-12));
}

TEST_CASE("entropic transport between normal distributions has its closed form", "[metric]") {
  // The plan between N(0, s^2) and N(m, t^2) is normal. With covariance c it costs m^2 + s^2 + t^2 - 2 c - reg/2 log(1
  // - c^2 / (s t)^2), least at c = sqrt((s t)^2 + reg^2/16) - reg/4 (Janati et al. 2020). The densities on a grid are a
  // trapezoid rule, exact to rounding for analytic functions that vanish at its ends, 9 deviations out.
  const double s = 0.8, t = 1.3, m = 0.7;
  const auto distribution = [](double mean, double deviation, std::vector<double>& places) {
    Eigen::VectorXd weights{181};
    for (int i = 0; i < 181; ++i) {
      const double z = (i - 90) * 0.1;
      places.push_back(mean + deviation * z);
      weights[i] = std::exp(-0.5 * z * z);
    }
    return Eigen::VectorXd{weights / weights.sum()};
  };
  std::vector<double> of_x, of_y;
  const auto a = distribution(0, s, of_x), b = distribution(m, t, of_y);
  const auto cost = squared_distances<double>(column_of(of_x), column_of(of_y));
  for (const double reg : {0.3, 1.0, 4.0}) {
    const auto found =
        sinkhorn<double>(cost, a, b, {.regularization = reg, .relative = false, .tolerance = 1e-13, .rounds = 5000});
    CHECK(found.converged);
    const double c = std::sqrt(s * s * t * t + reg * reg / 16) - reg / 4;
    // The columns are off by 1e-13 of mass at squared distances below 500.
    CHECK_THAT(found.cost, WithinAbs(m * m + s * s + t * t - 2 * c, 1e-10));
    CHECK_THAT(found.value,
               WithinAbs(m * m + s * s + t * t - 2 * c - reg / 2 * std::log(1 - c * c / (s * s * t * t)), 1e-10));
  }
}

TEST_CASE("transport of 64 points is bounded by the exact assignment", "[metric]") {
  const auto x = cloud<double>(64, 5, 1), y = cloud<double>(64, 5, 2, 0.5);
  const auto cost = squared_distances<double>(x, y);
  std::vector<std::vector<double>> rows(64, std::vector<double>(64));
  for (std::size_t i = 0; i < 64; ++i)
    for (std::size_t j = 0; j < 64; ++j) rows[i][j] = cost(eigen_index(i), eigen_index(j));
  const double exact = assignment_cost(rows);
  double before = 1e300;
  for (const double reg : {1.0, 0.3, 0.1}) {
    const auto found =
        sinkhorn<double>(cost, {.regularization = reg, .relative = false, .tolerance = 1e-6, .rounds = 100000});
    CHECK(found.converged);
    // P minimizes <P, C> + reg KL, and the assignment has KL = log 64: <P, C> <= exact + reg log 64. A plan costs at
    // least the assignment, but for the columns' error times the largest cost.
    CHECK(found.cost <= exact + reg * std::log(64.0));
    CHECK(found.cost >= exact - 1e-6 * cost.maxCoeff());
    CHECK(found.cost <= before);
    before = found.cost;
  }
  // On a line the assignment is that of the sorted numbers.
  const auto p = normal_numbers(64, 3), q = normal_numbers(64, 4);
  for (std::size_t i = 0; i < 64; ++i)
    for (std::size_t j = 0; j < 64; ++j) rows[i][j] = (p[i] - q[j]) * (p[i] - q[j]);
  CHECK_THAT(wasserstein_of_numbers(p, q), WithinRel(assignment_cost(rows), 1e-12));
}

TEST_CASE("squared distances keep the digits of close pairs", "[metric]") {
  auto x = cloud<float>(40, 300, 5);
  x.array() += 100.0f;
  row_matrix<float> y = x;
  y.array() += 1e-2f;
  const auto cost = squared_distances<float>(x, y);
  for (Eigen::Index i = 0; i < 40; ++i)
    for (Eigen::Index j = 0; j < 40; ++j) {
      double wanted = 0;
      for (Eigen::Index k = 0; k < 300; ++k) wanted += std::pow(static_cast<double>(x(i, k)) - y(j, k), 2);
      // Seven bits lost of float's 24 at most, and for close pairs the rounding of 100 + z, of 1e-5 in 1e-2.
      CHECK_THAT(cost(i, j), WithinRel(static_cast<float>(wanted), i == j ? 2e-3f : 128 * 300 * 6e-8f));
    }
  CHECK_REFUSED(squared_distances<float>(x, row_matrix<float>(3, 2)),
                "the dimension of the second cloud is 2, but it must be that of the first");
}

TEST_CASE("small regularizations do not overflow, in float either", "[metric]") {
  // exp(-C / reg) underflows for every pair of different points, up to exp(-1e4).
  const auto x = cloud<double>(50, 8, 6), y = cloud<double>(50, 8, 7, 3.0);
  const auto cost = squared_distances<double>(x, y);
  const sinkhorn_options tiny{.regularization = 0.02, .relative = false, .tolerance = 1e-4, .rounds = 200000};
  const auto found = sinkhorn<double>(cost, tiny);
  CHECK(found.converged);
  const row_matrix<float> narrow = cost.cast<float>();
  const auto in_float = sinkhorn<float>(narrow, tiny);
  CHECK(in_float.converged);
  // Both plans miss the columns by 1e-4 of mass at costs below 250.
  CHECK_THAT(in_float.cost, WithinAbs(found.cost, 2 * 1e-4 * cost.maxCoeff()));
  // The loosest one is the product plan, at the mean cost.
  const auto loose = sinkhorn<double>(cost, {.regularization = 1e9, .relative = false});
  CHECK_THAT(loose.cost, WithinRel(cost.mean(), 1e-6));
  CHECK_THAT(sinkhorn<double>(cost, {.regularization = 0.05}).regularization, WithinRel(0.05 * cost.mean(), 1e-13));
}

TEST_CASE("a backend's threads find the same transport, to the same bits for any number", "[metric]") {
  // Three blocks of rows for the cost, four for the rounds.
  const auto x = cloud<float>(520, 9, 11), y = cloud<float>(400, 9, 12, 1.0);
  const sinkhorn_options options{.regularization = 0.1, .relative = true, .tolerance = 1e-300, .rounds = 50};
  const auto alone = squared_distances<float>(x, y);
  tbb_backend first{1};
  const auto cost = squared_distances<float>(first, x, y);
  const auto found = sinkhorn<float>(first, cost, options);
  CHECK(found.rounds == 50);
  for (const std::size_t threads : {2u, 3u, 4u}) {
    tbb_backend be{threads};
    CHECK(squared_distances<float>(be, x, y) == cost);
    const auto again = sinkhorn<float>(be, cost, options);
    CHECK(again.cost == found.cost);
    CHECK(again.f == found.f);
    CHECK(again.g == found.g);
    CHECK(sinkhorn_distance<float>(be, x, y, options) == std::sqrt(found.cost));
  }
  // Without a backend other copies of the same loops run, which a compiler may round otherwise: once per element.
  CHECK((alone - cost).cwiseAbs().maxCoeff() <= 9 * 6e-8f * 4 * cost.maxCoeff());
  CHECK_THAT(sinkhorn<float>(cost, options).cost, WithinRel(found.cost, 50 * 400 * 6e-8));
}

TEST_CASE("what is no transport problem is refused", "[metric]") {
  const auto cost = squared_distances<double>(cloud<double>(3, 2, 1), cloud<double>(4, 2, 2));
  CHECK_REFUSED(sinkhorn<double>(cost, {.regularization = 0}),
                "regularization is 0, but it must be above 0 and finite");
  CHECK_REFUSED(sinkhorn<double>(cost, {.tolerance = 0}), "tolerance is 0");
  CHECK_REFUSED(sinkhorn<double>(cost, {.rounds = 0}), "rounds is 0");
  const Eigen::VectorXd three = Eigen::VectorXd::Constant(3, 1.0 / 3), four = Eigen::VectorXd::Constant(4, 0.25);
  CHECK_REFUSED(sinkhorn<double>(cost, four, four), "the number of row weights is 4");
  CHECK_REFUSED(sinkhorn<double>(cost, three, 2 * four), "the sum of the column weights is 2, but it must be 1");
  CHECK_REFUSED(sinkhorn<double>(cost, three, three), "the number of column weights is 3");
  Eigen::VectorXd off = three;
  off[1] += 2e-9;
  CHECK_REFUSED(sinkhorn<double>(cost, off, four), "the sum of the row weights is 1.00000000");
  off[1] = std::nan("");
  CHECK_REFUSED(sinkhorn<double>(cost, off, four), "a row weight is nan, but it must be above 0");
  CHECK_REFUSED(sinkhorn<double>(row_matrix<double>(0, 4)), "the number of rows of the cost is 0");
  row_matrix<double> broken = cost;
  broken(0, 0) = std::nan("");
  CHECK_REFUSED(sinkhorn<double>(broken), "the cost is not finite");
  CHECK_REFUSED(sinkhorn<double>(row_matrix<double>::Zero(2, 2)), "the mean cost is 0, but it must be above 0");
}

TEST_CASE("a distance whose plan has not the clouds' weights is refused", "[metric]") {
  const auto x = cloud<double>(50, 8, 1), y = cloud<double>(60, 8, 2);
  const sinkhorn_options options{.regularization = 1e-6, .rounds = 500};
  const auto found = sinkhorn<double>(squared_distances<double>(x, y), options);
  CHECK(!found.converged);
  CHECK(found.marginal_error > 1e-2);
  const std::string sentence = " after round 500 is " + detail::shown(found.marginal_error) +
                               ", but it must be at most the tolerance, 1e-05: use a larger regularization, more "
                               "rounds or a larger tolerance";
  CHECK_REFUSED(sinkhorn_distance<double>(x, y, options),
                "the marginal error of the transport between the clouds" + sentence);
  CHECK_REFUSED(sinkhorn_divergence<double>(x, y, options),
                "the marginal error of the transport between the clouds" + sentence);
  tbb_backend be{2};
  CHECK_REFUSED(sinkhorn_distance<double>(be, x, y, options), "the marginal error of the transport between the clouds");
  // Each of the three transports counts; that from one point is right at once.
  row_matrix<double> one(1, 8);
  one.setConstant(3.0);
  const sinkhorn_options few{.regularization = 0.05, .rounds = 1};
  CHECK(sinkhorn<double>(squared_distances<double>(one, y), few).converged);
  CHECK_REFUSED(sinkhorn_divergence<double>(one, y, few),
                "the marginal error of the transport between the second cloud and itself after round 1 is ");
  CHECK_REFUSED(sinkhorn_divergence<double>(y, one, few), "between the first cloud and itself after round 1 is ");
  // A tolerance below the rounding of the type means that rounding.
  CHECK(sinkhorn_distance<double>(x, y, {.regularization = 0.5, .tolerance = 1e-300, .rounds = 500}) > 0.0);
}

TEST_CASE("clouds that are not finite, or distances that overflow, are refused by name", "[metric]") {
  const auto x = cloud<float>(5, 3, 1);
  auto broken = x;
  broken(3, 2) = std::numeric_limits<float>::quiet_NaN();
  CHECK_REFUSED(squared_distances<float>(broken, x), "element 2 of point 3 of the first cloud is nan, but it must be");
  CHECK_REFUSED(sinkhorn_distance<float>(x, broken), "element 2 of point 3 of the second cloud is nan");
  CHECK_REFUSED(sinkhorn_divergence<float>(broken, x), "element 2 of point 3 of the first cloud is nan");
  CHECK_REFUSED(sliced_wasserstein<float>(x, broken), "element 2 of point 3 of the second cloud is nan");
  broken(3, 2) = std::numeric_limits<float>::infinity();
  CHECK_REFUSED(squared_distances<float>(x, broken), "element 2 of point 3 of the second cloud is inf");
  tbb_backend be{2};
  CHECK_REFUSED(squared_distances<float>(be, broken, x), "element 2 of point 3 of the first cloud is inf");
  CHECK_REFUSED(wasserstein_of_numbers({0, 1}, {0, std::nan("")}), "a number of the second set is nan");
  // Finite points a distance apart whose square float cannot hold.
  const row_matrix<float> far = x.array() + 1e20f;
  CHECK_REFUSED(squared_distances<float>(x, far), "the largest squared distance between the clouds is too large");
  CHECK_REFUSED(wasserstein_of_numbers({0.0}, {1e200}),
                "the squared Wasserstein distance is inf, but it must be finite");
  CHECK_REFUSED(squared_distances<float>(row_matrix<float>(0, 3), x), "the number of points of the first cloud is 0");
  CHECK_REFUSED(sliced_wasserstein<float>(x, row_matrix<float>(0, 3)), "the number of points of the second cloud is 0");
  // A plan that float has no room for: exp(-C / reg) of the whole matrix at once.
  const row_matrix<float> cost = squared_distances<float>(x, cloud<float>(5, 3, 2));
  CHECK_REFUSED(sinkhorn<float>(cost, {.regularization = 1e-300, .relative = false}),
                "the marginal error after round 1 of Sinkhorn's algorithm is ");
}

TEST_CASE("sliced Wasserstein of a shift and of sets of different sizes", "[metric]") {
  // Quantiles of (0, 1) and (0, .5, 1): 0 v 0 on 1/3, 0 v .5 on 1/6, 1 v .5 on 1/6, 1 v 1.
  CHECK_THAT(wasserstein_of_numbers({1, 0}, {0.5, 1, 0}), WithinAbs(0.25 / 3, 1e-15));
  CHECK_THAT(wasserstein_of_numbers({2, 2, 5, 5}, {5, 2}), WithinAbs(0.0, 1e-15));
  // A shift by m along a direction u is (u . m)^2 exactly; over directions its mean is |m|^2 / d, with the variance
  // 2 (d - 1) / (d^2 (d + 2)) |m|^4 of a squared cosine. Five standard errors of 400.
  const auto x = cloud<double>(30, 6, 8);
  row_matrix<double> y = x;
  y.col(2).array() += 1.5;
  const double squared = std::pow(sliced_wasserstein<double>(x, y, 400, 1), 2), m2 = 2.25;
  CHECK_THAT(squared, WithinAbs(m2 / 6, 5 * m2 * std::sqrt(2 * 5 / (36.0 * 8) / 400)));
  CHECK(sliced_wasserstein<double>(x, x) == 0.0);
  // In one dimension every direction is the only one.
  const auto p = normal_numbers(20, 9), q = normal_numbers(30, 10);
  CHECK_THAT(std::pow(sliced_wasserstein<double>(column_of(p), column_of(q), 3), 2),
             WithinRel(wasserstein_of_numbers(p, q), 1e-12));
  CHECK_REFUSED(sliced_wasserstein<double>(x, y, 0), "directions is 0, but it must be at least 1");
  CHECK_REFUSED(wasserstein_of_numbers({}, {1.0}), "the number of points of the first set is 0");
  CHECK_REFUSED(wasserstein_of_numbers({1.0}, {}), "the number of points of the second set is 0");
}
