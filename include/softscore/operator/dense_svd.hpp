#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/eigen.hpp>
#include <softscore/core/error.hpp>
#include <softscore/operator/concept.hpp>
#include <softscore/operator/small_svd.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The singular values and vectors of any square matrix of the elements of an image. It suits images of at most about a
/// thousand elements: the matrices have the square of that many elements, and finding them costs its cube. It computes
/// on the host; copies share the matrices.
class dense_svd {
 public:
  /// Decomposes a matrix, or an expression of one. Throws `error` if it is not square or not finite.
  template <class Expression>
  explicit dense_svd(const Eigen::MatrixBase<Expression>& given) {
    using number = typename Expression::Scalar;
    using square = Eigen::MatrixX<number>;
    using by_rows = Eigen::Map<const row_matrix<number>>;
    const square matrix = given;
    require(matrix.rows() == matrix.cols(), "columns of the matrix", matrix.cols(), "as many as its rows");
    require(matrix.allFinite(), "an element of the matrix", "not finite", "finite");
    // The eigenvectors of A^T A are V, except for small values, whose squares are lost. Jacobi rotations of A V correct
    // these and have little to do for the others. Every product is one of plain matrices, so that only one kind of
    // product is compiled.
    const square transposed = matrix.transpose();
    const Eigen::SelfAdjointEigenSolver<square> close{square{transposed * matrix}};
    const square turned = matrix * close.eigenvectors();
    const auto d = static_cast<std::size_t>(matrix.rows());
    std::vector<double> rows(d * d);
    Eigen::Map<row_matrix<number>>{rows.data(), matrix.rows(), matrix.cols()} = turned;
    const auto parts = detail::decompose(d, rows);
    values_ = parts.values;
    const square u = by_rows{parts.u.data(), matrix.rows(), matrix.cols()};
    const square rest = by_rows{parts.v.data(), matrix.rows(), matrix.cols()};
    const square v = close.eigenvectors() * rest;
    vectors_ = std::make_shared<const vectors>(vectors{u, v, square{u.transpose()}, square{v.transpose()}});
  }

  /// Decomposes C_w of any family, found by applying it to unit images.
  template <class Op, Scalar Real = double>
    requires LinearOperator<Op, serial_backend, Real>
  static dense_svd of(const Op& op, level w, const shape& image) {
    serial_backend be;
    const std::size_t d = image.per_image();
    auto units = be.template make<Real>(image.with_images(d)), columns = be.template make<Real>(image.with_images(d));
    for (std::size_t i = 0; i < d; ++i) units.view()[i * d + i] = 1.0;
    degradation<Op>::apply(op, be, per_image<level>{w}, units.view(), columns.view());
    return dense_svd{as_matrix(columns.view()).transpose()};
  }

  std::span<const double> values() const { return {values_.data(), values_.size()}; }

  template <class Be, Scalar T>
  void to_modes(Be& be, in_of<Be, T> in, out_of<Be, T> out) const {
    turn<T>(be, vectors_->v_transposed, in, out);
  }
  template <class Be, Scalar T>
  void from_modes(Be& be, in_of<Be, T> in, out_of<Be, T> out) const {
    turn<T>(be, vectors_->v, in, out);
  }
  template <class Be, Scalar T>
  void measurement_to_modes(Be& be, in_of<Be, T> in, out_of<Be, T> out) const {
    turn<T>(be, vectors_->u_transposed, in, out);
  }
  template <class Be, Scalar T>
  void measurement_from_modes(Be& be, in_of<Be, T> in, out_of<Be, T> out) const {
    turn<T>(be, vectors_->u, in, out);
  }

 private:
  struct vectors {
    Eigen::MatrixXd u, v, u_transposed, v_transposed;
  };

  // Images are the columns of a matrix.
  template <Scalar T, class Be>
  void turn(Be& be, const Eigen::MatrixXd& matrix, view_of<Be, const T> in, view_of<Be, T> out) const {
    const std::size_t d = in.extent().per_image();
    require(d == values_.size(), "elements of an image", d, "the rows of the decomposed matrix");
    std::vector<T> host(in.size());
    be.download(in, host.data());
    const Eigen::Index n = eigen_index(d), images = eigen_index(in.extent().images);
    using number = std::common_type_t<T, double>;
    Eigen::Matrix<number, Eigen::Dynamic, Eigen::Dynamic, Eigen::ColMajor> columns(n, images);
    std::copy(host.begin(), host.end(), columns.data());
    const decltype(columns) turned = matrix * columns;
    std::transform(turned.data(), turned.data() + turned.size(), host.begin(),
                   [](double v) { return static_cast<T>(v); });
    be.upload(host.data(), out);
  }

  std::vector<double> values_;
  std::shared_ptr<const vectors> vectors_;
};
static_assert(SingularValues<dense_svd, archetype_backend, float>);

}  // namespace softscore::inline SOFTSCORE_ABI
