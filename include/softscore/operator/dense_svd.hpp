#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/core/eigen.hpp>
#include <softscore/core/error.hpp>
#include <softscore/operator/concept.hpp>
#include <softscore/operator/small_svd.hpp>

namespace softscore {

/// The singular values and vectors of any square matrix of the elements of an image. For images of at most a
/// thousand elements or so: the matrices have the square of that, and finding them costs its cube. Computes on the
/// host; copies share the matrices.
class dense_svd {
 public:
  /// Throws `error` if the matrix is not square or not finite.
  explicit dense_svd(const Eigen::MatrixXd& matrix) {
    require(matrix.rows() == matrix.cols(), "columns of the matrix", matrix.cols(), "as many as its rows");
    require(matrix.allFinite(), "an element of the matrix", "not finite", "finite");
    // Eigen's own solvers for singular values take half a minute to compile. The eigenvectors of A^T A are V but for
    // small values, whose squares are lost; Jacobi rotations of A V mend these and have little to do for the others.
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> close{matrix.transpose() * matrix};
    const row_matrix<double> turned = matrix * close.eigenvectors();
    const auto d = static_cast<std::size_t>(matrix.rows());
    auto parts = detail::decompose(d, std::vector<double>(turned.data(), turned.data() + turned.size()));
    values_ = std::move(parts.values);
    u_ = std::make_shared<const Eigen::MatrixXd>(as_matrix(parts.u.data(), d, d));
    v_ = std::make_shared<const Eigen::MatrixXd>(close.eigenvectors() * as_matrix(parts.v.data(), d, d));
  }

  /// C_w of any family, found by applying it to unit images.
  template <class Op>
    requires LinearOperator<Op, serial_backend, double>
  static dense_svd of(const Op& op, level w, const shape& image) {
    serial_backend be;
    const std::size_t d = image.per_image();
    auto units = be.make<double>(image.with_images(d)), columns = be.make<double>(image.with_images(d));
    for (std::size_t i = 0; i < d; ++i) units.view()[i * d + i] = 1.0;
    degradation<Op>::apply(op, be, per_image<level>{w}, units.view(), columns.view());
    return dense_svd{Eigen::MatrixXd{as_matrix(columns.view()).transpose()}};
  }

  std::span<const double> values() const { return values_; }

  template <class Be, Scalar T>
  void to_modes(Be& be, const_view<T, typename Be::space> in, view<T, typename Be::space> out) const {
    turn<T>(be, *v_, in, out);
  }
  template <class Be, Scalar T>
  void from_modes(Be& be, const_view<T, typename Be::space> in, view<T, typename Be::space> out) const {
    turn<T>(be, v_->transpose(), in, out);
  }
  template <class Be, Scalar T>
  void measurement_to_modes(Be& be, const_view<T, typename Be::space> in, view<T, typename Be::space> out) const {
    turn<T>(be, *u_, in, out);
  }
  template <class Be, Scalar T>
  void measurement_from_modes(Be& be, const_view<T, typename Be::space> in, view<T, typename Be::space> out) const {
    turn<T>(be, u_->transpose(), in, out);
  }

 private:
  // Images are rows, so a matrix times each is all of them times its transpose.
  template <Scalar T, class Be, class Matrix>
  void turn(Be& be, const Matrix& transposed, view_of<Be, const T> in, view_of<Be, T> out) const {
    const std::size_t d = in.extent().per_image();
    require(d == values_.size(), "elements of an image", d, "the rows of the decomposed matrix");
    std::vector<T> host(in.size());
    be.download(in, host.data());
    auto rows = as_matrix(host.data(), in.extent().images, d);
    const Eigen::MatrixXd turned = rows.template cast<double>() * transposed;
    rows = turned.template cast<T>();
    be.upload(host.data(), out);
  }

  std::vector<double> values_;
  std::shared_ptr<const Eigen::MatrixXd> u_, v_;
};
static_assert(SingularValues<dense_svd, archetype_backend, float>);

}  // namespace softscore
