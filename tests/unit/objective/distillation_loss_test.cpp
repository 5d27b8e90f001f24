// Progressive distillation (Salimans and Ho 2022): the student's target is where two steps of the teacher lead.
#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/cosine.hpp>
#include <softscore/denoiser/gaussian_denoiser.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/objective/distillation_loss.hpp>
#include <softscore/operator/scaling.hpp>

#include "class_network.hpp"
#include "opaque_backend.hpp"
#include "printed.hpp"
#include "random_batch.hpp"
#include "refusal.hpp"
#include "scripted_network.hpp"

using namespace softscore;
using Catch::Matchers::WithinAbs;

namespace {

// The three times of the reference values: a is 0.6, 0.8, 0.96 and sigma 0.8, 0.6, 0.28 at 1, 1/2 and 0.
struct three_times {
  level level_at(diffusion_time t) const { return level{-std::log(t.value > 0.7 ? 0.6 : t.value > 0.2 ? 0.8 : 0.96)}; }
  double sigma_at(diffusion_time t) const { return t.value > 0.7 ? 0.8 : t.value > 0.2 ? 0.6 : 0.28; }
};

// A teacher whose estimate is 0.5 at time 1 and 0.7 later.
struct two_answers {
  static constexpr int evaluations = 1;
  struct nothing {};
  template <class T, class Be>
  nothing workspace(Be&, const shape&) const {
    return {};
  }
  template <class Be, class T, class Space>
  void estimate(Be& be, const condition& q, view<const T, Space> x, view<T, Space> out, nothing&) const {
    const std::vector<T> values(x.extent().size(), static_cast<T>(q.times[0].value > 0.7 ? 0.5 : 0.7));
    be.upload(values.data(), out);
  }
};

static_assert(Denoiser<two_answers, serial_backend, double>);

struct loss_and_slope {
  std::vector<double> losses, slope;
};

// The objective at a network's output phi for x_t = `noisy`.
template <class Be, class O, class C, class D>
loss_and_slope at(const O& objective, const C& corruption, const D& denoiser, const std::vector<double>& noisy,
                  const std::vector<double>& phi, const shape& extent, per_image<diffusion_time> times,
                  std::span<const class_label> labels = {}) {
  Be be;
  auto x = be.template make<double>(extent), output = be.template make<double>(extent);
  be.upload(noisy.data(), x.view());
  be.upload(phi.data(), output.view());
  auto of_denoiser = denoiser.template workspace<double>(be, extent);
  auto memory = objective.template workspace<double>(be, extent);
  loss_and_slope found{std::vector<double>(extent.images), {}};
  objective.evaluate(be, corruption, denoiser, of_denoiser,
                     corrupted_batch<Be, double>{times, x.view(), x.view(), x.view(), {labels}},
                     view_of<Be, const double>(output.view()), output.view(), found.losses.data(), memory);
  found.slope = values_of(be, output.view());
  return found;
}

const shape one{1, 1, 1, 1};

}  // namespace

TEST_CASE("the student's target has the reference values", "[objective]") {
  const corruption corruption{scaling{}, three_times{}};
  const distillation_loss objective{two_answers{}, 1};
  const clean_denoiser clean{scripted_network{one}};
  const diffusion_time now{1.0};
  // a^2 / sigma^2 = 0.5625 is below 1, so the weight is 1, and h = 0 leaves x~ as the error.
  const auto at_zero = at<serial_backend>(objective, corruption, clean, {1.0}, {0.0}, one, now);
  const double target = -0.5 * at_zero.slope[0];
  CHECK_THAT(target, as_printed("0.656444444444"));
  // x' = .8 / 2 + .75 (1 - .3) = .925, x'' = .96 .7 + (.28 / .6)(.925 - .56), x~ = (x'' - .35) / (.96 - .21).
  const double second = 0.96 * 0.7 + 0.28 / 0.6 * 0.365;
  CHECK_THAT(second, as_printed("0.842333333333"));
  CHECK_THAT(target, WithinAbs((second - 0.35) / 0.75, 1e-12));
  CHECK_THAT(at_zero.losses[0], WithinAbs(target * target, 1e-15));
  // x'' = a'' x~ + (sigma'' / sigma)(x_t - a x~).
  CHECK_THAT(0.96 * target + 0.35 * (1.0 - 0.6 * target), WithinAbs(second, 1e-12));
  // v~ = a (x_t - a x~) / sigma - sigma x~: a student that says so has nothing left to learn.
  const velocity_denoiser velocity{scripted_network{one}, corruption};
  const double v = 0.6 * (1.0 - 0.6 * target) / 0.8 - 0.8 * target;
  CHECK_THAT(v, as_printed("-0.0705555555556"));
  CHECK(at<serial_backend>(objective, corruption, velocity, {1.0}, {v}, one, now).losses[0] < 1e-30);
}

TEST_CASE("one step on the target leads where two steps of the teacher do", "[objective]") {
  // An exact teacher of correlated data under the cosine schedule; the student has four steps.
  const corruption corruption{scaling{}, cosine{}};
  const shape pair{1, 1, 1, 2};
  Eigen::MatrixXd covariance(2, 2);
  covariance << 1.0, 0.6, 0.6, 0.5;
  const gaussian_denoiser teacher{corruption, Eigen::VectorXd::Constant(2, 0.3), covariance, pair};
  const distillation_loss objective{teacher, 4};
  const clean_denoiser student{scripted_network{pair}};
  for (const double t : {1.0, 0.75, 0.5}) {
    const std::vector<double> x{0.7, -0.4};
    const auto zero = at<serial_backend>(objective, corruption, student, x, {0.0, 0.0}, pair, diffusion_time{t});
    const double a = corruption.signal_gain(diffusion_time{t}), sigma = corruption.sigma(diffusion_time{t});
    const double weight = std::max(a * a / (sigma * sigma), 1.0);
    // The gradient of the mean of two squares at h = 0 is -weight x~.
    const std::vector<double> target{-zero.slope[0] / weight, -zero.slope[1] / weight};

    Eigen::Vector2d by_teacher{x[0], x[1]};
    for (const double from : {t, t - 0.125}) {
      const diffusion_time now{from}, next{from - 0.125};
      const double b = corruption.signal_gain(now), s = corruption.sigma(now);
      const Eigen::Matrix2d seen = b * b * covariance + s * s * Eigen::Matrix2d::Identity();
      const Eigen::Vector2d mean = Eigen::Vector2d::Constant(0.3),
                            h = mean + b * covariance * seen.inverse() * (by_teacher - b * mean);
      by_teacher = corruption.signal_gain(next) * h + corruption.sigma(next) / s * (by_teacher - b * h);
    }
    const diffusion_time end{t - 0.25};
    for (std::size_t k = 0; k < 2; ++k) {
      const double there =
          corruption.signal_gain(end) * target[k] + corruption.sigma(end) / sigma * (x[k] - a * target[k]);
      // A dozen operations on numbers of size 1.
      CHECK_THAT(there, WithinAbs(by_teacher[static_cast<Eigen::Index>(k)], 1e-13));
    }
  }
}

TEST_CASE("a batch of times, an opaque backend and weights above 1 give what single images give", "[objective]") {
  const corruption corruption{scaling{}, cosine{}};
  const shape pair{1, 1, 1, 2};
  const gaussian_denoiser teacher{corruption, Eigen::VectorXd::Zero(2), Eigen::MatrixXd::Identity(2, 2), pair};
  const distillation_loss objective{teacher, 10};
  const clean_denoiser student{scripted_network{pair}};
  const std::vector<diffusion_time> times{{0.9}, {0.4}, {0.1}};
  const std::vector<double> x{0.7, -0.4, 0.1, 0.2, -1.0, 0.5}, phi{0.1, 0.2, 0.3, -0.1, -0.2, 0.6};
  const auto together = at<opaque_backend>(objective, corruption, student, x, phi, pair.with_images(3),
                                           per_image<diffusion_time>{std::span<const diffusion_time>{times}});
  for (std::size_t i = 0; i < 3; ++i) {
    const auto alone = at<serial_backend>(objective, corruption, student, {x[2 * i], x[2 * i + 1]},
                                          {phi[2 * i], phi[2 * i + 1]}, pair, times[i]);
    CHECK(alone.losses[0] == together.losses[i]);
    // The batch's mean has a third of each gradient; the division is rounded.
    for (std::size_t k = 0; k < 2; ++k)
      CHECK_THAT(3.0 * together.slope[2 * i + k], WithinAbs(alone.slope[k], 4e-16 * std::abs(alone.slope[k])));
  }
}

TEST_CASE("distillation refuses a student without steps", "[objective]") {
  CHECK_REFUSED((distillation_loss{two_answers{}, 0}), "steps is 0, but it must be at least 1");
}

TEST_CASE("a teacher that takes labels is asked with those of the batch", "[objective]") {
  const corruption corruption{scaling{}, cosine{}};
  const class_network network{{-0.8f, 0.9f}, 0.2, one};
  const distillation_loss with_labels{epsilon_denoiser{network, corruption}, 4};
  const clean_denoiser student{scripted_network{one}};
  const std::vector<class_label> labels{1, 0};
  const std::vector<double> x{0.3, -0.2}, phi{0.1, 0.4};
  const auto found =
      at<serial_backend>(with_labels, corruption, student, x, phi, one.with_images(2), diffusion_time{0.5}, labels);
  for (std::size_t i = 0; i < 2; ++i) {
    const double mean = static_cast<double>(network.parameters()[static_cast<std::size_t>(labels[i])]);
    const gaussian_denoiser own{corruption, Eigen::VectorXd::Constant(1, mean), Eigen::MatrixXd::Constant(1, 1, 0.04),
                                one};
    const auto wanted =
        at<serial_backend>(distillation_loss{own, 4}, corruption, student, {x[i]}, {phi[i]}, one, diffusion_time{0.5});
    // A few dozen roundings of numbers of size 1.
    CHECK_THAT(found.losses[i], WithinAbs(wanted.losses[0], 1e-13));
  }
}
