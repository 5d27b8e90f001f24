#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <limits>
#include <numbers>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/denoiser/gaussian_mixture.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// Decompositions stand in templates, here and elsewhere, so that only the programs that use them compile Eigen's code.
// N(m, S) seen through y = A x + sigma n: what the distribution of y and that of x given y need. K = A S A^T + sigma^2
// I is the covariance of y. K is singular only if sigma = 0; its pseudo-inverse then takes the place of the inverse,
// because y lies in its range.
template <std::floating_point Real>
struct basic_seen_component {
  double weight{};
  Eigen::VectorX<Real> clean_mean, mean;  // m and A m
  Eigen::MatrixX<Real> gain, precision;   // S A^T K^-1 and K^-1
  double log_factor{};                    // of the density of y, weight included

  basic_seen_component(const gaussian_component& distribution, const Eigen::MatrixX<Real>& a, double sigma)
      : weight{distribution.weight}, clean_mean{distribution.mean}, mean{a * distribution.mean} {
    const Eigen::Index d = distribution.mean.size();
    Eigen::MatrixX<Real> k = a * distribution.covariance * a.transpose();
    k.diagonal().array() += sigma * sigma;
    double log_determinant = 0.0;
    auto rank = static_cast<double>(d);
    if (sigma > 0.0) {
      const Eigen::LDLT<Eigen::MatrixX<Real>> solved{k};
      precision = solved.solve(Eigen::MatrixX<Real>::Identity(d, d));
      log_determinant = solved.vectorD().array().log().sum();
    } else {
      const Eigen::SelfAdjointEigenSolver<Eigen::MatrixX<Real>> solved{k};
      const double rounding =
          static_cast<double>(d) * std::numeric_limits<double>::epsilon() * solved.eigenvalues().cwiseAbs().maxCoeff();
      const auto inverse = [&](double value) { return value > rounding ? 1.0 / value : 0.0; };
      precision = solved.eigenvectors() * solved.eigenvalues().unaryExpr(inverse).asDiagonal() *
                  solved.eigenvectors().transpose();
      for (const double value : solved.eigenvalues())
        if (value > rounding)
          log_determinant += std::log(value);
        else
          rank -= 1.0;
    }
    gain = distribution.covariance * a.transpose() * precision;
    log_factor = std::log(weight) - 0.5 * (rank * std::log(2.0 * std::numbers::pi) + log_determinant);
  }

  Eigen::VectorX<Real> score(const Eigen::VectorX<Real>& y) const { return precision * (mean - y); }
  Eigen::VectorX<Real> estimate(const Eigen::VectorX<Real>& y) const { return clean_mean + gain * (y - mean); }
  double log_share(const Eigen::VectorX<Real>& y) const {
    const Eigen::VectorX<Real> rest = y - mean;
    return log_factor - 0.5 * rest.dot(precision * rest);
  }
};

// A mixture seen through y = A x + sigma n.
template <std::floating_point Real>
class basic_seen_mixture {
 public:
  basic_seen_mixture(const gaussian_mixture& distribution, const Eigen::MatrixX<Real>& a, double sigma) {
    parts_.reserve(distribution.size());
    for (const gaussian_component& c : distribution) parts_.emplace_back(c, a, sigma);
  }

  const std::vector<basic_seen_component<Real>>& parts() const { return parts_; }

  // log p(y), by log-sum-exp: no density underflows.
  double log_density(const Eigen::VectorX<Real>& y) const { return shares(y).log_sum; }

  // P(component given y).
  Eigen::VectorX<Real> responsibilities(const Eigen::VectorX<Real>& y) const { return shares(y).each; }

  Eigen::VectorX<Real> estimate(const Eigen::VectorX<Real>& y) const {
    const Eigen::VectorX<Real> share = responsibilities(y);
    Eigen::VectorX<Real> h = Eigen::VectorX<Real>::Zero(y.size());
    for (std::size_t k = 0; k < parts_.size(); ++k) h += share[eigen_index(k)] * parts_[k].estimate(y);
    return h;
  }

  Eigen::VectorX<Real> score(const Eigen::VectorX<Real>& y) const {
    const Eigen::VectorX<Real> share = responsibilities(y);
    Eigen::VectorX<Real> sum = Eigen::VectorX<Real>::Zero(y.size());
    for (std::size_t k = 0; k < parts_.size(); ++k) sum += share[eigen_index(k)] * parts_[k].score(y);
    return sum;
  }

  // J^T v, with h = sum_k share_k h_k and grad share_k = share_k (score_k - score).
  Eigen::VectorX<Real> pullback(const Eigen::VectorX<Real>& y, const Eigen::VectorX<Real>& v) const {
    const Eigen::VectorX<Real> share = responsibilities(y), all = score(y);
    Eigen::VectorX<Real> pulled = Eigen::VectorX<Real>::Zero(y.size());
    for (std::size_t k = 0; k < parts_.size(); ++k)
      pulled += share[eigen_index(k)] *
                (parts_[k].gain.transpose() * v + parts_[k].estimate(y).dot(v) * (parts_[k].score(y) - all));
    return pulled;
  }

 private:
  struct shared_out {
    Eigen::VectorX<Real> each;
    double log_sum;
  };
  shared_out shares(const Eigen::VectorX<Real>& y) const {
    Eigen::VectorX<Real> logs(eigen_index(parts_.size()));
    for (std::size_t k = 0; k < parts_.size(); ++k) logs[eigen_index(k)] = parts_[k].log_share(y);
    const double most = logs.maxCoeff();
    Eigen::VectorX<Real> each = (logs.array() - most).exp();
    const double sum = each.sum();
    each /= sum;
    return {std::move(each), most + std::log(sum)};
  }

  std::vector<basic_seen_component<Real>> parts_;
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
