// Metrics of learned features: closed forms of the inception score (Salimans et al. 2016), the kernel distance
// (Binkowski et al. 2018), precision and recall (Kynkaanniemi et al. 2019) and the extrapolated Frechet distance (Chong
// and Forsyth 2020); network_features. Numbers of other libraries are in tests/golden.
#include <softscore/metric/network_features.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include <softscore/backend/serial.hpp>
#include <softscore/backend/tbb.hpp>
#include <softscore/core/noise.hpp>
#include <softscore/core/xtensor.hpp>
#include <softscore/data/stroke_digits.hpp>
#include <softscore/metric/feature_scores.hpp>
#include <softscore/metric/frechet_extrapolated.hpp>
#include <softscore/metric/inception_score.hpp>
#include <softscore/metric/kernel_distance.hpp>
#include <softscore/metric/precision_recall.hpp>

#include "catch.hpp"
#include "refusal.hpp"

using namespace softscore;
using Catch::Matchers::WithinAbs;

namespace {

// Standard normal numbers plus a shift.
row_matrix<double> samples(Eigen::Index n, Eigen::Index d, std::uint64_t seed, double shift = 0.0) {
  row_matrix<double> rows(n, d);
  for (Eigen::Index i = 0; i < n; ++i)
    for (Eigen::Index j = 0; j < d; ++j)
      rows(i, j) = shift + static_cast<double>(normals({seed, noise_stream::user, 0, 0}, static_cast<std::uint64_t>(i),
                                                       static_cast<std::uint32_t>(j))[0]);
  return rows;
}

}  // namespace

// Own derivation: certain and even answers score the number of classes, and like answers score 1.
TEST_CASE("the inception score of certain, like and half certain answers", "[metric]") {
  row_matrix<double> certain = row_matrix<double>::Zero(40, 4), like = row_matrix<double>::Constant(40, 4, 0.25);
  for (Eigen::Index i = 0; i < 40; ++i) certain(i, i % 4) = 1.0;
  for (const std::size_t splits : {1u, 5u, 10u}) {
    CHECK_THAT(inception_score(certain, splits).mean, WithinAbs(4.0, 1e-14));
    CHECK_THAT(inception_score(certain, splits).deviation, WithinAbs(0.0, 1e-14));
    CHECK_THAT(inception_score(like, splits).mean, WithinAbs(1.0, 1e-14));
  }
  // Sorted by class, each half knows two classes: 2 in each split, 4 in all.
  row_matrix<double> sorted = row_matrix<double>::Zero(40, 4);
  for (Eigen::Index i = 0; i < 40; ++i) sorted(i, i / 10) = 1.0;
  CHECK_THAT(inception_score(sorted, 2).mean, WithinAbs(2.0, 1e-14));
  CHECK_THAT(inception_score(sorted, 1).mean, WithinAbs(4.0, 1e-14));
  CHECK_REFUSED(inception_score(certain, 0), "splits is 0, but it must be at least 1");
  CHECK_REFUSED(inception_score(certain, 41), "the number of images is 40, but it must be at least that of the splits");
  certain(7, 0) = 0.5;
  CHECK_REFUSED(inception_score(certain, 1), "the sum of the probabilities of image 7 is 1.5, but it must be 1");
}

// Own derivation: for one feature, sets {x} repeated and {y} repeated, every kernel is (x y + 1)^3.
TEST_CASE("the kernel distance of two points, and that of one distribution", "[metric]") {
  const row_matrix<double> x = row_matrix<double>::Constant(5, 1, 0.5), y = row_matrix<double>::Constant(3, 1, -1.0);
  // 1.25^3 + 2^3 - 2 0.5^3, a dozen operations on numbers below 10.
  CHECK_THAT(kernel_distance(x, y), WithinAbs(1.953125 + 8.0 - 0.25, 1e-13));
  const kernel_subsets ten{.count = 10, .size = 2};
  CHECK_THAT(kernel_distance(x, y, ten).mean, WithinAbs(9.703125, 1e-13));
  CHECK_THAT(kernel_distance(x, y, ten).deviation, WithinAbs(0.0, 1e-13));
  // Unbiased: over 200 pairs of disjoint samples of one distribution the mean is 0 within four of its own deviations.
  double sum = 0, squares = 0;
  for (std::uint64_t k = 0; k < 200; ++k) {
    const double found = kernel_distance(samples(12, 4, 2 * k), samples(20, 4, 2 * k + 1));
    sum += found / 200;
    squares += found * found / 200;
  }
  CHECK(std::abs(sum) < 4 * std::sqrt(squares / 200));
  CHECK(kernel_distance(samples(300, 4, 1), samples(300, 4, 2, 0.5)) > 0.1);
  // More rows than a block has, against the sum over pairs.
  const auto a = samples(300, 3, 5), b = samples(270, 3, 6);
  const auto mean_kernel = [](const auto& p, const auto& q, bool apart) {
    double total = 0;
    for (Eigen::Index i = 0; i < p.rows(); ++i)
      for (Eigen::Index j = 0; j < q.rows(); ++j)
        if (!apart || i != j) total += std::pow(p.row(i).dot(q.row(j)) / 3 + 1, 3);
    return total / static_cast<double>(p.rows() * (q.rows() - (apart ? 1 : 0)));
  };
  const double plain = mean_kernel(a, a, true) + mean_kernel(b, b, true) - 2 * mean_kernel(a, b, false);
  CHECK_THAT(kernel_distance(a, b), WithinAbs(plain, 1e-11));  // 1e5 terms of size 10, as random roundings
  CHECK_REFUSED(kernel_distance(a, samples(9, 2, 1)), "the number of features of the second set is 2");
  CHECK_REFUSED(kernel_distance(a.topRows(1).eval(), b), "the number of samples of the first set is 1");
  CHECK_REFUSED(kernel_distance(a, b, {.count = 0}), "the number of subsets is 0");
}

// Own derivation, on a line: the balls of 0, 1, 2, 3 with one neighbor reach 1 far.
TEST_CASE("precision and recall count who lies in whose balls", "[metric]") {
  row_matrix<double> real(4, 1), drawn(5, 1);
  real << 0, 1, 2, 3;
  drawn << 0.5, 3.5, 4.5, 10, 10.25;
  // Drawn: 0.5 and 3.5 lie inside, 4.5 and 10 do not. Their balls reach 3, 1, 1, 0.25 and 0.25 far: around 0.5 all real
  // ones.
  const auto found = precision_recall(real, drawn, 1);
  CHECK(found.precision == 0.4);
  CHECK(found.recall == 1.0);
  const auto turned = precision_recall(drawn, real, 1);
  CHECK(turned.precision == found.recall);
  CHECK(turned.recall == found.precision);
  const auto same = precision_recall(real, real);
  CHECK(same.precision == 1.0);
  CHECK(same.recall == 1.0);
  // More rows than a block has: half of the second set is far away.
  auto half = samples(600, 3, 4);
  half.bottomRows(300).array() += 100.0;
  const auto shares = precision_recall(samples(700, 3, 3), half);
  CHECK(shares.precision > 0.4);
  CHECK(shares.precision <= 0.5);
  CHECK_REFUSED(precision_recall(real, drawn, 4),
                "the number of samples of the first set is 4, but it must be at least");
  CHECK_REFUSED(precision_recall(real, drawn, 0), "neighbors is 0, but it must be at least 1");
}

TEST_CASE("a line over 1/N is found, and takes most of a small set's bias away", "[metric]") {
  const std::vector<double> sizes{50, 80, 200, 1000};
  std::vector<double> distances;
  for (const double n : sizes) distances.push_back(2.0 + 300.0 / n);
  const auto line = detail::line_over_inverse(sizes, distances);
  CHECK_THAT(line.infinite, WithinAbs(2.0, 1e-13));
  CHECK_THAT(line.slope, WithinAbs(300.0, 1e-10));
  CHECK_THAT(line.deviation, WithinAbs(0.0, 1e-13));

  // Of one distribution the distance is 0. With N samples of d features its mean is (d + d (d + 1) / 4) / N to the
  // first order: d / N from the mean, and a quarter of the covariance's squared error, (d^2 + d) / N, for tr(S + I - 2
  // S^(1/2)) = |S - I|^2 / 4 near S = I. One draw spreads by about a tenth of it.
  const Eigen::Index d = 16;
  const gaussian_moments exact{Eigen::VectorXd::Zero(d), Eigen::MatrixXd::Identity(d, d)};
  for (const std::uint64_t seed : {1u, 2u, 3u}) {
    const auto found = frechet_extrapolated(samples(2000, d, seed), exact, {.least = 200, .points = 20});
    const double bias = (16.0 + 16.0 * 17.0 / 4.0) / 2000.0;
    CHECK(found.at_all == Approx(bias).epsilon(0.25));
    CHECK(std::abs(found.infinite) < 0.3 * bias);
  }
  const auto far = frechet_extrapolated(samples(2000, d, 7, 0.5), exact);
  CHECK(far.infinite == Approx(16 * 0.25).epsilon(0.1));
  CHECK_REFUSED(frechet_extrapolated(samples(20, d, 1), exact), "samples of the smallest subset is 32, but it must be");
  CHECK_REFUSED(frechet_extrapolated(samples(99, d, 1), exact, {.points = 1}), "points is 1");
}

TEST_CASE("a classifier's answers are the same for any batch, and probabilities sum to 1", "[metric]") {
  tbb_backend be;
  const auto digits = stroke_digits(23, 1, 12);
  classifier net{{{4, 8}, 6, 10}, {1, 1, 12, 12}};
  net.initialize(3);
  const auto all = judge(be, net, as_view(digits.pixels));
  CHECK(all.features.rows() == 23);
  CHECK(all.features.cols() == 6);
  for (Eigen::Index i = 0; i < 23; ++i) CHECK_THAT(all.probabilities.row(i).sum(), WithinAbs(1.0, 1e-14));
  for (const std::size_t batch : {1u, 5u, 23u}) {
    const auto found = judge(be, net, as_view(digits.pixels), {.batch_size = batch});
    CHECK((found.features.array() == all.features.array()).all());
    CHECK((found.probabilities.array() == all.probabilities.array()).all());
  }
  CHECK((judge(be, net, as_view(digits.pixels), {.pixels = {2.0f, -1.0f}}).features.array() != all.features.array())
            .any());
  std::vector<class_label> best(23);
  for (std::size_t i = 0; i < 23; ++i) {
    Eigen::Index most = 0;
    all.probabilities.row(eigen_index(i)).maxCoeff(&most);
    best[i] = static_cast<class_label>(most);
  }
  CHECK(accuracy(all.probabilities, std::span<const class_label>{best}) == 1.0);
  best[4] = (best[4] + 1) % 10;
  CHECK(accuracy(all.probabilities, std::span<const class_label>{best}) == Approx(22.0 / 23.0));
  CHECK_REFUSED(accuracy(all.probabilities, std::span<const class_label>{best}.first(9)), "the number of labels is 9");
  auto wrong = best;
  wrong[3] = no_class;
  CHECK_REFUSED(accuracy(all.probabilities, std::span<const class_label>{wrong}),
                "the label of image 3 is -1, but it must be at least 0 and below the number of classes");
  auto broken = digits.pixels;
  broken.data()[5 * 144] = std::numeric_limits<float>::quiet_NaN();
  CHECK_REFUSED(judge(be, net, as_view(broken)), "what a classifier makes of image 5 is not finite");
  const auto large = stroke_digits(2, 1, 14);
  CHECK_REFUSED(judge(be, net, as_view(large.pixels)), "the shape of the images that a classifier sees");
  CHECK_REFUSED(judge(be, net, as_view(digits.pixels), {.batch_size = 0}), "batch_size is 0");
}

TEST_CASE("a set scored against itself is at no distance, and a small one is not extrapolated", "[metric]") {
  judgement tests{samples(90, 8, 1), row_matrix<double>::Zero(90, 3)};
  for (Eigen::Index i = 0; i < 90; ++i) tests.probabilities(i, i / 30) = 1.0;
  const auto same = score_features(tests, tests, {.kernel = {.count = 3, .size = 90}});
  CHECK(std::abs(same.frechet) < 1e-12);  // covariances of size 10, a few hundred roundings
  CHECK(same.extrapolated.has_value());
  CHECK(same.neighborhood.precision == 1.0);
  CHECK(same.neighborhood.recall == 1.0);
  // Ten runs of nine images in random order know about three classes each; in order they would know one.
  CHECK(same.inception.mean > 2.0);
  const judgement few{tests.features.topRows(60), tests.probabilities.topRows(60)};
  const auto of_few = score_features(few, tests);
  CHECK_FALSE(of_few.extrapolated.has_value());
  CHECK(of_few.neighborhood.recall < 1.0);
}
