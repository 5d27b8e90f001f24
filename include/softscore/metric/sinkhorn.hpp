#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <limits>
#include <string>
#include <string_view>

#include <softscore/backend/concept.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/eigen.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/number_text.hpp>
#include <softscore/metric/cost_matrix.hpp>
#include <softscore/metric/finite.hpp>

namespace softscore {  // shared

/// When `sinkhorn` stops.
struct sinkhorn_options {
  double regularization{0.05};  ///< in units of the cost, or of its mean if `relative`
  bool relative{true};
  double tolerance{1e-5};     ///< largest sum of |column marginal - wanted|; the row marginals are exact to rounding
  std::size_t rounds{10000};  ///< most rounds

  /// Throws `error` for invalid values.
  SOFTSCORE_SHARED void check() const {
    require(std::isfinite(regularization) && regularization > 0.0, "regularization", regularization,
            "above 0 and finite");
    require(tolerance > 0.0, "tolerance", tolerance, "above 0");
    require(rounds >= 1, "rounds", rounds, "at least 1");
  }
};

}  // namespace softscore

namespace softscore::inline SOFTSCORE_ABI {

/// What `sinkhorn` found: the plan P = exp((f_i + g_j - C_ij) / regularization) a_i b_j.
struct sinkhorn_result {
  double cost{};            ///< <P, C>
  double value{};           ///< <P, C> + regularization KL(P | a b^T), which P minimizes
  double regularization{};  ///< in units of the cost
  double marginal_error{};  ///< sum over columns of |marginal - wanted|
  std::size_t rounds{};     ///< how many were made
  bool converged{};         ///< whether the tolerance was met
  Eigen::VectorXd f, g;     ///< the potentials
};

namespace detail {

// Sinkhorn's rounds on a kernel that contains the potentials f, g found so far, K = exp((f + g - C) / reg) a b^T. So
// the factors u, v stay near 1, and nothing overflows for small regularizations (Schmitzer 2019, Section 3.1). Rows are
// processed in blocks that depend on the sizes alone, and the sums of the blocks are added in order.
template <class T, class Threads>
class sinkhorn_rounds {
  using column = Eigen::Matrix<T, Eigen::Dynamic, 1>;

 public:
  sinkhorn_rounds(Threads& threads, const row_matrix<T>& cost, const Eigen::VectorXd& a, const Eigen::VectorXd& b,
                  double regularization)
      : threads_{threads},
        cost_{cost},
        a_{a},
        b_{b},
        regularization_{regularization},
        f_{cost.rows()},
        g_{cost.cols()},
        // At most 16 blocks, of 2^16 elements or more.
        length_{(std::max)((cost.rows() + 15) / 16, (Eigen::Index{1} << 16) / cost.cols() + 1)},
        partial_{cost.cols(), (cost.rows() + length_ - 1) / length_} {
    // Initial potentials for which every row and column of the kernel has an entry exp(0).
    f_ = cost.rowwise().minCoeff().template cast<double>();
    g_.setConstant(std::numeric_limits<double>::infinity());
    for (Eigen::Index i = 0; i < cost.rows(); ++i)
      g_ = g_.cwiseMin(cost.row(i).transpose().template cast<double>().array().matrix() -
                       Eigen::VectorXd::Constant(cost.cols(), f_[i]));
    absorb();
  }

  // One round: v so that the columns match, then u so that the rows do. The kernel passes through the cache once,
  // because each row is used for its own factor and at the same time for the next sums over columns.
  void round() {
    v_ = columns_.array() / sums_.array();
    update_rows();
    if (strayed()) absorb();
  }
  // The error of the columns; the rows match to rounding.
  double error() const { return (v_.array() * sums_.array() - columns_.array()).abs().template cast<double>().sum(); }

  // Computes <P, C>, and the potentials with u and v included.
  void finish(sinkhorn_result& result) const {
    double total = 0.0;
    for (Eigen::Index i = 0; i < cost_.rows(); ++i)
      total += static_cast<double>(u_[i]) *
               static_cast<double>((kernel_.row(i).array() * v_.transpose().array() * cost_.row(i).array()).sum());
    result.cost = total;
    result.f = f_ + regularization_ * u_.template cast<double>().array().log().matrix();
    result.g = g_ + regularization_ * v_.template cast<double>().array().log().matrix();
    // KL(P | a b^T) is <P, (f + g - C) / reg>; the rows of P sum to a, and its columns to b up to the error.
    const Eigen::VectorXd marginal = (v_.array() * sums_.array()).matrix().template cast<double>();
    result.value = a_.dot(result.f) + marginal.dot(result.g);
  }

 private:
  static constexpr T stray{1e8f};  // far from the range of either type

  void update_rows() {
    each_block(threads_, cost_.rows(), length_, [&](Eigen::Index block, Eigen::Index first, Eigen::Index count) {
      auto sums = partial_.col(block);
      sums.setZero();
      constexpr Eigen::Index together = 4;  // rows that stay in the cache for both products
      for (Eigen::Index i = first; i < first + count; i += together) {
        const Eigen::Index some = (std::min)(together, first + count - i);
        const auto rows = kernel_.middleRows(i, some);
        auto u = u_.segment(i, some);
        u.noalias() = rows * v_;
        u = rows_.segment(i, some).cwiseQuotient(u);
        sums.noalias() += rows.transpose() * u;
      }
    });
    sums_ = partial_.col(0);
    for (Eigen::Index block = 1; block < partial_.cols(); ++block) sums_ += partial_.col(block);
  }
  bool strayed() const {
    return u_.maxCoeff() > stray || v_.maxCoeff() > stray || u_.minCoeff() < T{1} / stray ||
           v_.minCoeff() < T{1} / stray;
  }
  // Moves u and v into the potentials and computes the kernel again.
  void absorb() {
    if (u_.size() > 0) {
      f_ += regularization_ * u_.template cast<double>().array().log().matrix();
      g_ += regularization_ * v_.template cast<double>().array().log().matrix();
    }
    rows_ = a_.template cast<T>();
    columns_ = b_.template cast<T>();
    kernel_.resize(cost_.rows(), cost_.cols());
    const auto scale = static_cast<T>(1.0 / regularization_);
    const column of_columns = g_.template cast<T>();
    each_block(threads_, cost_.rows(), length_, [&](Eigen::Index, Eigen::Index first, Eigen::Index count) {
      for (Eigen::Index i = first; i < first + count; ++i)
        kernel_.row(i) =
            ((of_columns.transpose().array() - cost_.row(i).array() + static_cast<T>(f_[i])) * scale).exp() *
            (rows_[i] * columns_.transpose().array());
    });
    u_ = column::Ones(cost_.rows());
    v_ = column::Ones(cost_.cols());
    update_rows();
  }

  Threads& threads_;
  const row_matrix<T>& cost_;
  Eigen::VectorXd a_, b_;
  double regularization_;
  Eigen::VectorXd f_, g_;
  Eigen::Index length_;                                       // rows of a block
  Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic> partial_;  // a block's sums over columns, in a column
  column rows_, columns_, u_, v_, sums_;
  row_matrix<T> kernel_;
};

inline void check_weights(const Eigen::VectorXd& weights, Eigen::Index count, std::string_view of) {
  const std::string name{of};
  require(weights.size() == count, "the number of " + name + " weights", weights.size(),
          "that of the cost's " + name + "s");
  for (const double w : weights) require(w > 0.0, "a " + name + " weight", w, "above 0");
  require(std::abs(weights.sum() - 1.0) < 1e-9, "the sum of the " + name + " weights", weights.sum(), "1");
}

template <class T, class Threads>
sinkhorn_result sinkhorn_on(Threads& threads, const row_matrix<T>& cost, const Eigen::VectorXd& a,
                            const Eigen::VectorXd& b, const sinkhorn_options& options) {
  options.check();
  require(cost.rows() >= 1, "the number of rows of the cost", cost.rows(), "at least 1");
  require(cost.cols() >= 1, "the number of columns of the cost", cost.cols(), "at least 1");
  check_weights(a, cost.rows(), "row");
  check_weights(b, cost.cols(), "column");
  require(cost.allFinite(), "the cost", "not finite", "finite everywhere");
  sinkhorn_result result;
  result.regularization = options.regularization;
  if (options.relative) {
    const double mean = a.dot((cost.template cast<double>() * b).eval());
    result.regularization *= mean;
    require(result.regularization > 0.0, "the mean cost", mean, "above 0 where the regularization is relative to it");
  }
  sinkhorn_rounds<T, Threads> rounds{threads, cost, a, b, result.regularization};
  while (result.rounds < options.rounds && !result.converged) {
    rounds.round();
    ++result.rounds;
    result.marginal_error = rounds.error();
    if (!std::isfinite(result.marginal_error))
      reject("the marginal error after round " + shown(result.rounds) + " of Sinkhorn's algorithm",
             result.marginal_error, "finite: use a larger regularization or a wider type of number");
    result.converged = result.marginal_error <= options.tolerance;
  }
  rounds.finish(result);
  finite_result("the cost of the transport", result.cost);
  finite_result("the regularized cost of the transport", result.value);
  return result;
}

// Only a plan with the clouds' own weights gives their distance. A tolerance below the rounding of T has no meaning.
template <class T>
const sinkhorn_result& require_converged(const sinkhorn_result& found, const sinkhorn_options& options,
                                         std::string_view between) {
  const double most = (std::max)(options.tolerance, static_cast<double>(std::numeric_limits<T>::epsilon()));
  if (!(found.marginal_error <= most))
    reject(
        "the marginal error of the transport between " + std::string{between} + " after round " + shown(found.rounds),
        found.marginal_error,
        "at most the tolerance, " + shown(options.tolerance) +
            ": use a larger regularization, more rounds or a larger tolerance");
  return found;
}

template <std::floating_point Real>
Eigen::VectorX<Real> equal_weights(Eigen::Index count) {
  return Eigen::VectorX<Real>::Constant(count, Real{1} / static_cast<Real>(count));
}

}  // namespace detail

/// Finds the entropy-regularized transport between the weights `a` of the rows and `b` of the columns, each summing to
/// 1, at the given cost (Cuturi 2013; Daras et al. 2022, Appendix C): P minimizes <P, C> + reg KL(P | a b^T). It
/// computes in T and keeps the potentials separately in double; a round reads the kernel once. Small regularizations
/// are slow: `converged` tells whether the tolerance was met. Throws `error` for invalid weights or costs, and if T is
/// too small for the plan.
template <class T>
sinkhorn_result sinkhorn(const row_matrix<T>& cost, const Eigen::VectorXd& a, const Eigen::VectorXd& b,
                         const sinkhorn_options& options = {}) {
  detail::one_thread here;
  return detail::sinkhorn_on<T>(here, cost, a, b, options);
}

/// The same on the backend's threads, with the same bits for any number of them. For many transports at once, it is
/// better to run one per thread.
template <class T, HostBackend Be>
sinkhorn_result sinkhorn(Be& be, const row_matrix<T>& cost, const Eigen::VectorXd& a, const Eigen::VectorXd& b,
                         const sinkhorn_options& options = {}) {
  return detail::sinkhorn_on<T>(be, cost, a, b, options);
}

/// The same with equal weights.
template <class T>
sinkhorn_result sinkhorn(const row_matrix<T>& cost, const sinkhorn_options& options = {}) {
  return sinkhorn<T>(cost, detail::equal_weights<double>(cost.rows()), detail::equal_weights<double>(cost.cols()),
                     options);
}
template <class T, HostBackend Be>
sinkhorn_result sinkhorn(Be& be, const row_matrix<T>& cost, const sinkhorn_options& options = {}) {
  return sinkhorn<T>(be, cost, detail::equal_weights<double>(cost.rows()), detail::equal_weights<double>(cost.cols()),
                     options);
}

/// Returns the regularized 2-Wasserstein distance between two clouds of points, one per row: sqrt(<P, C>) with C the
/// squared distances (Daras et al. 2022, Appendix C). The distance of a cloud from itself is not 0. Throws `error` as
/// `sinkhorn` does, and if the rounds end before the tolerance is met, because the plan is then not one between these
/// clouds.
template <class T>
double sinkhorn_distance(const row_matrix<T>& x, const row_matrix<T>& y, const sinkhorn_options& options = {}) {
  return std::sqrt(
      detail::require_converged<T>(sinkhorn<T>(squared_distances<T>(x, y), options), options, "the clouds").cost);
}

/// The same on the backend's threads.
template <class T, HostBackend Be>
double sinkhorn_distance(Be& be, const row_matrix<T>& x, const row_matrix<T>& y, const sinkhorn_options& options = {}) {
  return std::sqrt(
      detail::require_converged<T>(sinkhorn<T>(be, squared_distances<T>(be, x, y), options), options, "the clouds")
          .cost);
}

/// The transports of a debiased divergence.
struct divergence_result {
  sinkhorn_result between, first, second;  ///< of the clouds, and of each with itself

  /// W(x, y) - (W(x, x) + W(y, y)) / 2 of the regularized values W. Rounding may leave it slightly below 0.
  double value() const { return between.value - 0.5 * (first.value + second.value); }
  bool converged() const { return between.converged && first.converged && second.converged; }
  double marginal_error() const {
    return (std::max)({between.marginal_error, first.marginal_error, second.marginal_error});
  }
};

/// Computes the three transports of `sinkhorn_divergence`, converged or not; if the first did not converge, the others
/// are left out.
template <class T>
divergence_result sinkhorn_divergence_parts(const row_matrix<T>& x, const row_matrix<T>& y,
                                            sinkhorn_options options = {}) {
  divergence_result found;
  found.between = sinkhorn<T>(squared_distances<T>(x, y), options);
  if (!found.between.converged) return found;  // the divergence has no value then
  options.relative = false;
  options.regularization = found.between.regularization;
  found.first = sinkhorn<T>(squared_distances<T>(x, x), options);
  found.second = sinkhorn<T>(squared_distances<T>(y, y), options);
  return found;
}

/// Returns the debiased divergence W(x, y) - (W(x, x) + W(y, y)) / 2 of the regularized values W = <P, C> + reg KL,
/// which is 0 between a cloud and itself (Feydy et al. 2019). All three use the regularization of the first. Throws
/// `error` as `sinkhorn_distance` does.
template <class T>
double sinkhorn_divergence(const row_matrix<T>& x, const row_matrix<T>& y, const sinkhorn_options& options = {}) {
  const auto found = sinkhorn_divergence_parts<T>(x, y, options);
  detail::require_converged<T>(found.between, options, "the clouds");
  detail::require_converged<T>(found.first, options, "the first cloud and itself");
  detail::require_converged<T>(found.second, options, "the second cloud and itself");
  return found.value();
}

}  // namespace softscore::inline SOFTSCORE_ABI
