#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <vector>

#include <softscore/denoiser/gaussian_mixture.hpp>

namespace softscore::detail {

// N(m, S) seen through y = A x + sigma n: what the law of y and that of x given y need. K = A S A^T + sigma^2 I is the
// covariance of y. Where K is singular, which needs sigma = 0, its pseudo-inverse serves: y then lies in its range.
struct seen_component {
  double weight{};
  Eigen::VectorXd clean_mean, mean;  // m and A m
  Eigen::MatrixXd gain, precision;   // S A^T K^-1 and K^-1
  double log_factor{};               // of the density of y, weight included

  seen_component(const gaussian_component& law, const Eigen::MatrixXd& a, double sigma)
      : weight{law.weight}, clean_mean{law.mean}, mean{a * law.mean} {
    const Eigen::Index d = law.mean.size();
    Eigen::MatrixXd k = a * law.covariance * a.transpose();
    k.diagonal().array() += sigma * sigma;
    double log_determinant = 0.0;
    auto rank = static_cast<double>(d);
    if (sigma > 0.0) {
      const Eigen::LDLT<Eigen::MatrixXd> solved{k};
      precision = solved.solve(Eigen::MatrixXd::Identity(d, d));
      log_determinant = solved.vectorD().array().log().sum();
    } else {
      const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solved{k};
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
    gain = law.covariance * a.transpose() * precision;
    log_factor = std::log(weight) - 0.5 * (rank * std::log(2.0 * std::numbers::pi) + log_determinant);
  }

  Eigen::VectorXd score(const Eigen::VectorXd& y) const { return precision * (mean - y); }
  Eigen::VectorXd estimate(const Eigen::VectorXd& y) const { return clean_mean + gain * (y - mean); }
  double log_share(const Eigen::VectorXd& y) const {
    const Eigen::VectorXd rest = y - mean;
    return log_factor - 0.5 * rest.dot(precision * rest);
  }
};

// A mixture seen through y = A x + sigma n.
class seen_mixture {
 public:
  seen_mixture(const gaussian_mixture& law, const Eigen::MatrixXd& a, double sigma) {
    parts_.reserve(law.size());
    for (const gaussian_component& c : law) parts_.emplace_back(c, a, sigma);
  }

  const std::vector<seen_component>& parts() const { return parts_; }

  // log p(y), by log-sum-exp: no density underflows.
  double log_density(const Eigen::VectorXd& y) const { return shares(y).log_sum; }

  // P(component given y).
  Eigen::VectorXd responsibilities(const Eigen::VectorXd& y) const { return shares(y).each; }

  Eigen::VectorXd estimate(const Eigen::VectorXd& y) const {
    const Eigen::VectorXd share = responsibilities(y);
    Eigen::VectorXd h = Eigen::VectorXd::Zero(y.size());
    for (std::size_t k = 0; k < parts_.size(); ++k) h += share[eigen_index(k)] * parts_[k].estimate(y);
    return h;
  }

  Eigen::VectorXd score(const Eigen::VectorXd& y) const {
    const Eigen::VectorXd share = responsibilities(y);
    Eigen::VectorXd sum = Eigen::VectorXd::Zero(y.size());
    for (std::size_t k = 0; k < parts_.size(); ++k) sum += share[eigen_index(k)] * parts_[k].score(y);
    return sum;
  }

  // J^T v, with h = sum_k share_k h_k and grad share_k = share_k (score_k - score).
  Eigen::VectorXd pullback(const Eigen::VectorXd& y, const Eigen::VectorXd& v) const {
    const Eigen::VectorXd share = responsibilities(y), all = score(y);
    Eigen::VectorXd pulled = Eigen::VectorXd::Zero(y.size());
    for (std::size_t k = 0; k < parts_.size(); ++k)
      pulled += share[eigen_index(k)] *
                (parts_[k].gain.transpose() * v + parts_[k].estimate(y).dot(v) * (parts_[k].score(y) - all));
    return pulled;
  }

 private:
  struct shared_out {
    Eigen::VectorXd each;
    double log_sum;
  };
  shared_out shares(const Eigen::VectorXd& y) const {
    Eigen::VectorXd logs(eigen_index(parts_.size()));
    for (std::size_t k = 0; k < parts_.size(); ++k) logs[eigen_index(k)] = parts_[k].log_share(y);
    const double most = logs.maxCoeff();
    Eigen::VectorXd each = (logs.array() - most).exp();
    const double sum = each.sum();
    each /= sum;
    return {std::move(each), most + std::log(sum)};
  }

  std::vector<seen_component> parts_;
};

}  // namespace softscore::detail
