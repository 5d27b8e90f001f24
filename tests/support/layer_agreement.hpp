#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <softscore/backend/serial.hpp>
#include <softscore/nn/check_gradients.hpp>
#include <softscore/nn/layer_trial.hpp>

#include "catch.hpp"
#include "device_under_test.hpp"
#include "worse.hpp"

/// What both passes of a layer give, in double.
struct layer_values {
  std::vector<double> y, dx, d_embedding, gradients;
  friend bool operator==(const layer_values&, const layer_values&) = default;
};

/// Of the values of all images of a batch, those of `count` images from number `first` on.
inline std::vector<double> of_images(const std::vector<double>& all, std::size_t images, std::size_t first,
                                     std::size_t count) {
  const std::size_t each = all.size() / images;
  const auto begin = all.begin() + static_cast<std::ptrdiff_t>(first * each);
  return {begin, begin + static_cast<std::ptrdiff_t>(count * each)};
}

/// A layer in precision T on a backend, with memory for one image more than the batch, and the numbers that
/// `check_gradients` tries it on. Of the batch `in` it gets `count` images from number `first` on, or all.
template <class T, class L, class Be>
layer_values layer_values_on(Be& be, const L& layer, const softscore::shape& in,
                             const softscore::gradient_trials& trials = {}, std::size_t first = 0,
                             std::size_t count = 0) {
  using namespace softscore;
  if (count == 0) count = in.images;
  std::optional<dropout_draw> draw = trials.dropout;
  if (draw) draw->first_image += first;
  layer_trial<L, Be, T> trial{be, layer, {in.with_images(count), in.images + 1, trials.embedding, 0, draw}};
  const auto part = [&](const std::vector<double>& all) { return of_images(all, in.images, first, count); };
  trial.set_x(part(trials.apart ? detail::trial_numbers_apart(in.size(), trials.seed, 1)
                                : detail::trial_numbers(in.size(), trials.seed, 1)));
  trial.set_embedding(part(detail::trial_numbers(in.images * trials.embedding, trials.seed, 2)));
  trial.set_parameters(detail::trial_parameters(trial.layout(), trials.seed));
  trial.set_dy(part(detail::trial_numbers(trial.output().per_image() * in.images, trials.seed, 4)));
  trial.spoil();
  trial.forward();
  trial.backward();
  return {trial.y(), trial.dx(), trial.d_embedding(), trial.gradients()};
}

/// The largest |a - b| over the largest |b|; a NaN counts as infinitely far.
inline double relative_distance(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double most = 0, largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    most = worse(most, std::abs(a[i] - b[i]));
    largest = std::max(largest, std::abs(b[i]));
  }
  return largest > 0 ? most / largest : most;
}

inline void check_close(const layer_values& a, const layer_values& b, double allowed) {
  CHECK(relative_distance(a.y, b.y) <= allowed);
  CHECK(relative_distance(a.dx, b.dx) <= allowed);
  CHECK(relative_distance(a.d_embedding, b.d_embedding) <= allowed);
  CHECK(relative_distance(a.gradients, b.gradients) <= allowed);
}

/// Checks a layer against central differences, and on every backend that the compiler at hand can compile against the
/// serial one in double: the gradients of parameters all together, for those that are 0 but for rounding have no
/// relative error of their own.
///
/// A sum of n products rounds by at most (8 sqrt(n) + 100) 2^-24 of the length of its terms in float
/// (tests/backend/operations_test.cpp), which is below 8e-6 for the n <= 10^2 here, and on average a tenth of that; up
/// to ten such sums lie on one path, and a norm may double what comes to it. 3e-5 leaves room, and an error of an index
/// or of a factor is above 1e-2. In double the same count gives 1e-12.
template <class L>
void agrees_on_every_backend(const std::string& name, const L& layer, const softscore::shape& in,
                             const softscore::gradient_trials& trials = {}) {
  using namespace softscore;
  CAPTURE(name, in);
  const gradient_report report = check_gradients(layer, in, trials);
  CAPTURE(report);
  CHECK(report.holds());

  serial_backend host;
  device_under_test device;
  const layer_values oracle = layer_values_on<double>(host, layer, in, trials);
  {
    INFO("serial, float");
    check_close(layer_values_on<float>(host, layer, in, trials), oracle, 3e-5);
  }
  {
    INFO("device, double");
    check_close(layer_values_on<double>(device, layer, in, trials), oracle, 1e-12);
  }
  {
    INFO("device, float");
    check_close(layer_values_on<float>(device, layer, in, trials), oracle, 3e-5);
  }
#if !defined(__CUDACC__)
  tbb_backend threads{2};
  {
    INFO("tbb, double");
    check_close(layer_values_on<double>(threads, layer, in, trials), oracle, 1e-12);
  }
  {
    INFO("tbb, float");
    const layer_values of_two = layer_values_on<float>(threads, layer, in, trials);
    check_close(of_two, oracle, 3e-5);
    tbb_backend one{1}, three{3};
    CHECK((layer_values_on<float>(one, layer, in, trials) == of_two));
    CHECK((layer_values_on<float>(three, layer, in, trials) == of_two));
    // The last image by itself has the bits that it has in the batch.
    const layer_values last = layer_values_on<float>(threads, layer, in, trials, in.images - 1, 1);
    CHECK((last.y == of_images(of_two.y, in.images, in.images - 1, 1)));
    CHECK((last.dx == of_images(of_two.dx, in.images, in.images - 1, 1)));
    CHECK((last.d_embedding == of_images(of_two.d_embedding, in.images, in.images - 1, 1)));
  }
#endif
}
