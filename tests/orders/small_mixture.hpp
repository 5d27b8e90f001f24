#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include <softscore/backend/serial.hpp>
#include <softscore/core/eigen.hpp>
#include <softscore/corruption/concept.hpp>
#include <softscore/denoiser/concept.hpp>

// Mixtures of normal distributions of one and of two pixels, and their exact denoiser without a heap, for tables that
// ask it millions of times. tests/orders/mixture_table_test.cpp holds it against `mixture_denoiser`.

using namespace softscore;

template <int D>
using small_vector = Eigen::Matrix<double, D, 1>;
template <int D>
using small_matrix = Eigen::Matrix<double, D, D>;

template <int D>
struct small_component {
  double weight{};
  small_vector<D> mean;
  small_matrix<D> covariance;
};

inline constexpr shape one_pixel{1, 1, 1, 1}, two_pixels{1, 1, 1, 2};

/// The exact E[x_0 given x_t] of a mixture of images of D pixels in a row.
template <int D, class C>
class small_mixture {
 public:
  static constexpr int evaluations = 1;
  static constexpr shape image{1, 1, 1, static_cast<std::size_t>(D)};
  using vector = small_vector<D>;
  using matrix = small_matrix<D>;

  small_mixture(C corruption, std::vector<small_component<D>> data)
      : corruption_{std::move(corruption)}, data_{std::move(data)} {}

  const C& corruption() const { return corruption_; }

  matrix signal(diffusion_time t) const {
    return matrix_of([&](auto& be, auto units, auto columns) { corruption_.signal(be, {t}, units, columns); });
  }
  matrix signal_derivative(diffusion_time t) const {
    return matrix_of(
        [&](auto& be, auto units, auto columns) { corruption_.signal_derivative(be, {t}, units, columns); });
  }

  /// The distribution of x_t.
  std::vector<small_component<D>> marginal(diffusion_time t) const {
    const matrix c = signal(t);
    const double sigma = corruption_.sigma(t);
    std::vector<small_component<D>> seen = data_;
    for (auto& each : seen) {
      each.mean = c * each.mean;
      each.covariance = c * each.covariance * c.transpose() + sigma * sigma * matrix::Identity();
    }
    return seen;
  }

  /// What the estimates at one time have in common.
  struct memory {
    struct part {
      double log_factor{};
      vector clean_mean, mean;
      matrix gain, precision;
    };
    std::vector<part> parts;
    diffusion_time at{-1.0};
  };

  vector estimate_at(const memory& known, const vector& x) const {
    std::array<double, 4> logs{};
    double most = -HUGE_VAL, sum = 0.0;
    for (std::size_t k = 0; k < known.parts.size(); ++k) {
      const auto& part = known.parts[k];
      const vector rest = x - part.mean;
      logs.at(k) = part.log_factor - 0.5 * rest.dot(part.precision * rest);
      most = std::max(most, logs[k]);
    }
    vector h = vector::Zero();
    for (std::size_t k = 0; k < known.parts.size(); ++k) {
      const auto& part = known.parts[k];
      const double share = std::exp(logs[k] - most);
      sum += share;
      h += share * (part.clean_mean + part.gain * (x - part.mean));
    }
    return h / sum;
  }

  memory prepare(diffusion_time t) const {
    memory known{{}, t};
    const matrix c = signal(t);
    const double sigma = corruption_.sigma(t);
    for (const auto& each : data_) {
      const matrix seen = c * each.covariance * c.transpose() + sigma * sigma * matrix::Identity();
      const matrix precision = seen.inverse();
      known.parts.push_back({std::log(each.weight) - 0.5 * std::log(seen.determinant()), each.mean, c * each.mean,
                             each.covariance * c.transpose() * precision, precision});
    }
    return known;
  }

  template <Scalar T, class Be>
  memory workspace(Be&, shape) const {
    return {};
  }
  // Neighbors are often equal: images that differ in their noise alone.
  template <class Be, class T, class Space>
  void estimate(Be&, const condition& q, view<const T, Space> x, view<T, Space> out, memory& known) const {
    vector last, h;
    for (std::size_t i = 0; i < x.extent().images; ++i) {
      const diffusion_time t = q.times.shared() ? q.times[0] : q.times[i];
      bool same = i > 0 && known.at == t;
      if (known.at != t) known = prepare(t);
      vector now;
      for (std::size_t d = 0; d < std::size_t{D}; ++d) now[static_cast<int>(d)] = x[i * D + d];
      same = same && now == last;
      if (!same) h = estimate_at(known, now);
      last = now;
      for (std::size_t d = 0; d < std::size_t{D}; ++d) out[i * D + d] = h[static_cast<int>(d)];
    }
  }

 private:
  template <class Apply>
  matrix matrix_of(const Apply& apply) const {
    serial_backend be;
    auto units = be.make<double>(image.with_images(D)), columns = be.make<double>(image.with_images(D));
    for (std::size_t i = 0; i < std::size_t{D}; ++i) units.view()[i * D + i] = 1.0;
    apply(be, view<const double, host_space>(units.view()), columns.view());
    return Eigen::Map<const matrix>(&columns.view()[0]);
  }

  C corruption_;
  std::vector<small_component<D>> data_;
};

/// Two heaps of unlike weight and width: the score is not linear, and the third and fourth moments are not those of a
/// normal distribution.
inline std::vector<small_component<1>> heaps_on_a_line() {
  const auto of = [](double weight, double mean, double deviation) {
    return small_component<1>{weight, small_vector<1>{mean}, small_matrix<1>{deviation * deviation}};
  };
  return {of(0.35, -0.8, 0.4), of(0.65, 0.6, 0.55)};
}

/// Half of the difference of two pixels times sqrt 2: the mode that a blur of two pixels weakens most, whatever its
/// kernel.
inline small_vector<2> difference_mode() { return small_vector<2>{std::sqrt(0.5), -std::sqrt(0.5)}; }

/// The same heaps in the difference of two pixels, and their sum normal: under a blur both stay independent, so the
/// difference alone is a problem on a line.
inline std::vector<small_component<2>> heaps_in_the_difference() {
  const small_vector<2> along = difference_mode(), across{std::sqrt(0.5), std::sqrt(0.5)};
  std::vector<small_component<2>> data;
  for (const auto& each : heaps_on_a_line())
    data.push_back({each.weight, each.mean[0] * along,
                    each.covariance(0, 0) * along * along.transpose() + 0.36 * across * across.transpose()});
  return data;
}

/// Heaps in a plane whose covariances commute neither with each other nor with a blur.
inline std::vector<small_component<2>> heaps_in_a_plane() {
  small_matrix<2> first, second;
  first << 0.3, 0.1, 0.1, 0.2;
  second << 0.15, -0.05, -0.05, 0.4;
  return {{0.4, small_vector<2>{-0.7, 0.4}, first}, {0.6, small_vector<2>{0.6, -0.5}, second}};
}
