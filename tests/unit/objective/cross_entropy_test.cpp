// The cross-entropy of a classifier (Szegedy et al. 2016, Section 7): closed forms, its slope, numbers of PyTorch, and
// what is refused.
#include <softscore/objective/cross_entropy.hpp>

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/undamaged.hpp>
#include <softscore/operator/identity.hpp>

#include "catch.hpp"
#include "opaque_backend.hpp"
#include "printed.hpp"
#include "random_batch.hpp"
#include "refusal.hpp"
#include "slope.hpp"
#include "steady_denoiser.hpp"

using namespace softscore;

namespace {

const std::vector<class_label> labels{2, 0, 4};

struct losses_and_gradient {
  std::vector<double> losses, gradient;
  double mean() const {
    double sum = 0;
    for (const double l : losses) sum += l;
    return sum / static_cast<double>(losses.size());
  }
};

// At scores of as many images as there are labels.
template <class Be = serial_backend>
losses_and_gradient at(const cross_entropy& objective, const std::vector<double>& scores,
                       const std::vector<class_label>& of_images = labels) {
  Be be;
  const shape images{scores.size() / objective.classes, 1, 2, 2};
  const corruption clean{identity{}, undamaged{}};
  const steady_denoiser denoiser{};
  auto phi = be.template make<double>(objective.output(images));
  be.upload(scores.data(), phi.view());
  auto denoiser_memory = denoiser.template workspace<double>(be, images);
  auto memory = objective.template workspace<double>(be, images);
  corrupted_batch<Be, double> batch{};
  batch.given.labels = of_images;
  losses_and_gradient found{std::vector<double>(images.images), {}};
  objective.evaluate(be, clean, denoiser, denoiser_memory, batch, view_of<Be, const double>(phi.view()), phi.view(),
                     found.losses.data(), memory);
  found.gradient = values_of(be, phi.view());
  return found;
}

}  // namespace

// Own derivation: with K equal scores every p is 1/K; with a lead of d the loss is log(1 + (K - 1) e^-d).
TEST_CASE("the cross-entropy has its closed forms", "[objective]") {
  const std::vector<double> equal(15, 0.3);
  for (const double smoothing : {0.0, 0.2}) {
    const auto found = at({5, smoothing}, equal);
    // A few operations on numbers of size 2: 1e-15 each.
    for (const double loss : found.losses) CHECK_THAT(loss, Catch::Matchers::WithinAbs(std::log(5.0), 1e-14));
    CHECK_THAT(found.gradient[2], Catch::Matchers::WithinAbs((0.2 - (1 - smoothing) - smoothing / 5) / 3, 1e-15));
    CHECK_THAT(found.gradient[0], Catch::Matchers::WithinAbs((0.2 - smoothing / 5) / 3, 1e-15));
  }
  std::vector<double> leads(15, -1000.0);
  leads[2] = leads[5] = leads[14] = -997.0;
  for (const double loss : at({5}, leads).losses)
    CHECK_THAT(loss, Catch::Matchers::WithinAbs(std::log1p(4 * std::exp(-3.0)), 1e-12));  // 1e3 times a rounding
  // Scores that would overflow: the loss of a wrong certainty is its lead.
  std::vector<double> certain(15, 0.0);
  certain[0] = certain[6] = certain[10] = 2000.0;
  for (const double loss : at({5}, certain).losses) CHECK_THAT(loss, Catch::Matchers::WithinAbs(2000.0, 1e-9));
}

TEST_CASE("the gradient of the cross-entropy is its slope, and sums to 0 over classes", "[objective]") {
  const auto scores = normal_numbers(15, 3);
  for (const double smoothing : {0.0, 0.1}) {
    const cross_entropy objective{5, smoothing};
    const auto found = at(objective, scores);
    CHECK(slope_error([&](const auto& moved) { return at(objective, moved).mean(); }, scores, found.gradient) < 1e-7);
    for (std::size_t n = 0; n < 3; ++n) {
      double sum = 0;
      for (std::size_t k = 0; k < 5; ++k) sum += found.gradient[5 * n + k];
      CHECK(std::abs(sum) < 1e-15);  // ten roundings of numbers below 1/3
    }
    CHECK(at<opaque_backend>(objective, scores).gradient == found.gradient);
  }
}

TEST_CASE("what has no cross-entropy is refused", "[objective]") {
  const auto scores = normal_numbers(15, 3);
  CHECK_REFUSED(at({5}, scores, {0, 1}), "number of labels that a cross-entropy gets is 2, but it must be that of");
  CHECK_REFUSED(at({5}, scores, {0, 5, 1}), "the label of image 1 of a batch is 5, but it must be between 0 and 4");
  CHECK_REFUSED(at({5}, scores, {0, 4, no_class}), "the label of image 2 of a batch is -1");
  CHECK_REFUSED(at({1}, scores), "the number of classes of a cross-entropy is 1, but it must be at least 2");
  CHECK_REFUSED(at({5, 1.0}, scores), "label_smoothing is 1, but it must be at least 0 and below 1");
}
