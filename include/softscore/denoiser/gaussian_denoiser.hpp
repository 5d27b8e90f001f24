#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/core/eigen.hpp>
#include <softscore/core/error.hpp>
#include <softscore/corruption/concept.hpp>
#include <softscore/denoiser/concept.hpp>

namespace softscore {

/// The exact denoiser of Gaussian data N(m, S) under any Gaussian corruption (EQUATIONS P4): h = m + S C^T (C S C^T +
/// sigma^2 I)^-1 (x - C m). C is dense here, found by corrupting unit vectors, so it is for images of at most a few
/// hundred elements: an oracle for samplers and for users' corruptions. Computes in double on the host.
template <GaussianCorruption C>
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
    require(covariance_.rows() == mean_.size() && covariance_.cols() == mean_.size(), "rows of the covariance",
            covariance_.rows(), "the length of the mean, and the columns as many");
  }

  const Eigen::VectorXd& mean() const { return mean_; }
  const Eigen::MatrixXd& covariance() const { return covariance_; }

  /// C_t as a d x d matrix.
  Eigen::MatrixXd signal_matrix(diffusion_time t) const {
    const std::size_t d = image_.per_image();
    serial_backend be;
    auto units = be.make<double>(image_.with_images(d)), columns = be.make<double>(image_.with_images(d));
    for (std::size_t i = 0; i < d; ++i) units.view()[i * d + i] = 1.0;
    corruption_.signal(be, per_image<diffusion_time>{t}, units.view(), columns.view());
    const auto n = static_cast<Eigen::Index>(d);
    return Eigen::Map<const Eigen::MatrixXd>(&columns.view()[0], n, n);
  }

  /// The matrix J = S C^T (C S C^T + sigma^2 I)^-1, with h = m + J (x - C m).
  Eigen::MatrixXd gain_matrix(diffusion_time t) const {
    const Eigen::MatrixXd signal = signal_matrix(t);
    const double sigma = corruption_.sigma(t);
    Eigen::MatrixXd marginal = signal * covariance_ * signal.transpose();
    marginal.diagonal().array() += sigma * sigma;
    return marginal.ldlt().solve(signal * covariance_).transpose();
  }

  /// The mean and the covariance of x_t.
  std::pair<Eigen::VectorXd, Eigen::MatrixXd> marginal(diffusion_time t) const {
    const Eigen::MatrixXd signal = signal_matrix(t);
    const double sigma = corruption_.sigma(t);
    Eigen::MatrixXd covariance = signal * covariance_ * signal.transpose();
    covariance.diagonal().array() += sigma * sigma;
    return {signal * mean_, covariance};
  }

  struct memory {
    // Of the last estimate, one per image or one for all: J, and C m.
    std::vector<Eigen::MatrixXd> gains;
    std::vector<Eigen::VectorXd> means;
  };

  template <Scalar T, class Be>
  memory workspace(Be&, shape) const {
    return {};
  }

  template <class Be, Scalar T>
  void estimate(Be& be, const question& q, const_view<T, typename Be::space> x, view<T, typename Be::space> out,
                memory& ws) const {
    prepare(q, x.extent().images, ws);
    stage<Be, T>(be, x, out, [&](std::size_t i, const Eigen::VectorXd& each) -> Eigen::VectorXd {
      const std::size_t at = q.times.shared() ? 0 : i;
      return mean_ + ws.gains[at] * (each - ws.means[at]);
    });
  }

  template <class Be, Scalar T>
  void pullback(Be& be, const question& q, const_view<T, typename Be::space> v, view<T, typename Be::space> out,
                memory& ws) const {
    stage<Be, T>(be, v, out, [&](std::size_t i, const Eigen::VectorXd& each) -> Eigen::VectorXd {
      return ws.gains[q.times.shared() ? 0 : i].transpose() * each;
    });
  }

 private:
  void prepare(const question& q, std::size_t images, memory& ws) const {
    ws.gains.clear();
    ws.means.clear();
    for (std::size_t i = 0; i < (q.times.shared() ? 1 : images); ++i) {
      ws.gains.push_back(gain_matrix(q.times[i]));
      ws.means.push_back(signal_matrix(q.times[i]) * mean_);
    }
  }

  template <class Be, class T, class F>
  void stage(Be& be, view<const T, typename Be::space> in, view<T, typename Be::space> out, const F& f) const {
    const std::size_t d = in.extent().per_image();
    require(d == image_.per_image(), "elements of an image", d, "the length of the mean");
    std::vector<T> host(in.size());
    be.download(in, host.data());
    Eigen::VectorXd each(static_cast<Eigen::Index>(d));
    for (std::size_t i = 0; i < in.extent().images; ++i) {
      for (std::size_t k = 0; k < d; ++k) each[static_cast<Eigen::Index>(k)] = static_cast<double>(host[i * d + k]);
      const Eigen::VectorXd answer = f(i, each);
      for (std::size_t k = 0; k < d; ++k) host[i * d + k] = static_cast<T>(answer[static_cast<Eigen::Index>(k)]);
    }
    be.upload(host.data(), out);
  }

  C corruption_;
  Eigen::VectorXd mean_;
  Eigen::MatrixXd covariance_;
  shape image_;
};

}  // namespace softscore
