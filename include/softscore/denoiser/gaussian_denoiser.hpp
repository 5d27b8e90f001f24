#pragma once

#include <concepts>
#include <cstddef>
#include <type_traits>
#include <utility>
#include <vector>

#include <softscore/core/config.hpp>
#include <softscore/core/eigen.hpp>
#include <softscore/core/error.hpp>
#include <softscore/corruption/concept.hpp>
#include <softscore/denoiser/concept.hpp>
#include <softscore/denoiser/dense_signal.hpp>
#include <softscore/denoiser/seen_mixture.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The exact denoiser of Gaussian data N(m, S) under any Gaussian corruption (textbook: the conditional mean of a
/// Gaussian): h = m + S C^T (C S C^T + sigma^2 I)^-1 (x - C m). C is dense here, found by corrupting unit vectors, so
/// it suits images of at most a few hundred elements: an oracle for samplers and for users' corruptions. It computes in
/// `Real` on the host.
template <GaussianCorruption C, std::floating_point Real = double>
class gaussian_denoiser {
 public:
  static constexpr int evaluations = 1;

  /// `covariance` is symmetric, d x d for images with d elements; throws `error` if the sizes disagree.
  gaussian_denoiser(C corruption, Eigen::VectorXd mean, Eigen::MatrixXd covariance, shape image)
      : corruption_{std::move(corruption)},
        mean_{std::move(mean)},
        covariance_{std::move(covariance)},
        image_{image.with_images(1)} {
    require(static_cast<std::size_t>(mean_.size()) == image_.per_image(), "length of the mean", mean_.size(),
            "the number of elements of an image");
    require(covariance_.rows() == mean_.size(), "rows of the covariance", covariance_.rows(),
            "the length of the mean, and the columns as many");
    require(covariance_.cols() == mean_.size(), "columns of the covariance", covariance_.cols(),
            "the length of the mean");
  }

  const Eigen::VectorX<Real>& mean() const { return mean_; }
  const Eigen::MatrixX<Real>& covariance() const { return covariance_; }

  /// C_t as a d x d matrix.
  Eigen::MatrixX<Real> signal_matrix(diffusion_time t) const {
    return detail::dense_map(image_, [&](auto& be, auto units, auto columns) {
      corruption_.signal(be, per_image<diffusion_time>{t}, units, columns);
    });
  }

  /// The matrix J = S C^T (C S C^T + sigma^2 I)^-1, with h = m + J (x - C m).
  Eigen::MatrixX<Real> gain_matrix(diffusion_time t) const {
    const Eigen::MatrixX<Real> signal = signal_matrix(t);
    const double sigma = corruption_.sigma(t);
    Eigen::MatrixX<Real> marginal = signal * covariance_ * signal.transpose();
    marginal.diagonal().array() += sigma * sigma;
    return marginal.ldlt().solve(signal * covariance_).transpose();
  }

  /// The mean and the covariance of x_t.
  std::pair<Eigen::VectorX<Real>, Eigen::MatrixX<Real>> marginal(diffusion_time t) const {
    const Eigen::MatrixX<Real> signal = signal_matrix(t);
    const double sigma = corruption_.sigma(t);
    Eigen::MatrixX<Real> covariance = signal * covariance_ * signal.transpose();
    covariance.diagonal().array() += sigma * sigma;
    return {signal * mean_, covariance};
  }

  /// log p_t(x), the natural logarithm of the density of x_t.
  double log_density(diffusion_time t, const Eigen::VectorX<Real>& x) const { return seen_at(t).log_share(x); }
  /// The gradient of log p_t(x), from the density. Tweedie's formula (Daras et al. 2022, Eq. 16) gives it from the
  /// estimate.
  Eigen::VectorX<Real> score(diffusion_time t, const Eigen::VectorX<Real>& x) const { return seen_at(t).score(x); }

  struct memory {
    // Of the last estimate, one per image or one for all: J, and C m.
    std::vector<Eigen::MatrixX<Real>> gains;
    std::vector<Eigen::VectorX<Real>> means;
    // Of the last density.
    std::vector<detail::basic_seen_component<Real>> seen;
    diffusion_time seen_at{-1.0};
  };

  template <Scalar T, class Be>
  memory workspace(Be&, shape) const {
    return {};
  }

  template <class Be, Scalar T>
  void estimate(Be& be, const condition& q, in_of<Be, T> x, out_of<Be, T> out, memory& ws) const {
    prepare(q, x.extent().images, ws);
    detail::map_images_on_host<T>(be, image_, x, out, [&](std::size_t i, const Eigen::VectorX<Real>& each) {
      const std::size_t at = q.times.shared() ? 0 : i;
      return Eigen::VectorX<Real>{mean_ + ws.gains[at] * (each - ws.means[at])};
    });
  }

  template <class Be, Scalar T>
  void pullback(Be& be, const condition& q, in_of<Be, T> v, out_of<Be, T> out, memory& ws) const {
    detail::map_images_on_host<T>(be, image_, v, out, [&](std::size_t i, const Eigen::VectorX<Real>& each) {
      return Eigen::VectorX<Real>{ws.gains[q.times.shared() ? 0 : i].transpose() * each};
    });
  }

  /// Writes log p_t(x) of every image of the batch to `host`.
  template <class Be, class T>
  void log_density(Be& be, const condition& q, out_of<Be, T> x, double* host, memory& ws) const {
    detail::each_image_on_host<std::remove_const_t<T>>(be, image_, x,
                                                       [&](std::size_t i, const Eigen::VectorX<Real>& each) {
                                                         if (ws.seen.empty() || ws.seen_at != q.times[i]) {
                                                           ws.seen.assign(1, seen_at(q.times[i]));
                                                           ws.seen_at = q.times[i];
                                                         }
                                                         host[i] = ws.seen.front().log_share(each);
                                                       });
  }

 private:
  void prepare(const condition& q, std::size_t images, memory& ws) const {
    ws.gains.clear();
    ws.means.clear();
    for (std::size_t i = 0; i < (q.times.shared() ? 1 : images); ++i) {
      ws.gains.push_back(gain_matrix(q.times[i]));
      ws.means.push_back(signal_matrix(q.times[i]) * mean_);
    }
  }

  detail::basic_seen_component<Real> seen_at(diffusion_time t) const {
    return {gaussian_component{1.0, mean_, covariance_}, signal_matrix(t), corruption_.sigma(t)};
  }

  C corruption_;
  Eigen::VectorX<Real> mean_;
  Eigen::MatrixX<Real> covariance_;
  shape image_;
};

}  // namespace softscore::inline SOFTSCORE_ABI
