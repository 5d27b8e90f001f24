#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/pooled_array.hpp>
#include <softscore/core/xtensor_blas.hpp>
#include <softscore/operator/dense_svd.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Any matrix A of the elements of an image, mixed in by the level: C_w = (1 - w) I + w A, with w from 0 to 1. The
/// product runs on the host through xtensor-blas, so a program that uses this also links a BLAS; a device stages each
/// batch. Its cost per image is the square of the number of elements.
class dense_matrix {
 public:
  /// A tensor of rank two whose elements are stored row by row, for any XTENSOR_DEFAULT_LAYOUT.
  template <class T>
  using tensor = xt::xtensor<T, 2, xt::layout_type::row_major>;

  /// `matrix` is d x d for images of d elements in the order channels, rows, columns. Throws `error` if it is not
  /// square or holds a number that is not finite.
  explicit dense_matrix(tensor<double> matrix) {
    require(matrix.shape(0) == matrix.shape(1), "columns of the matrix", matrix.shape(1), "as many as its rows");
    for (const double v : matrix) require(std::isfinite(v), "an element of the matrix", v, "finite");
    in_float_ = std::make_shared<const tensor<float>>(xt::cast<float>(matrix));
    in_double_ = std::make_shared<const tensor<double>>(std::move(matrix));
  }

  /// A.
  const tensor<double>& matrix() const { return *in_double_; }

  template <class Be, Scalar T>
  void apply(Be& be, per_image<level> levels, in_of<Be, T> in, out_of<Be, T> out) const {
    multiply<T>(be, in, out, [](const auto& rows, const auto& a) { return xt::linalg::dot(rows, xt::transpose(a)); });
    mix<T>(be, levels, in, out);
  }
  template <class Be, Scalar T>
  void adjoint(Be& be, per_image<level> levels, in_of<Be, T> in, out_of<Be, T> out) const {
    multiply<T>(be, in, out, [](const auto& rows, const auto& a) { return xt::linalg::dot(rows, a); });
    mix<T>(be, levels, in, out);
  }
  /// A - I, at every level.
  template <class Be, Scalar T>
  void derivative(Be& be, per_image<level>, in_of<Be, T> in, out_of<Be, T> out) const {
    multiply<T>(be, in, out, [](const auto& rows, const auto& a) { return xt::linalg::dot(rows, xt::transpose(a)); });
    be.combine(out, term{1.0, out}, term_of<Be, T>{-1.0, in});
  }
  template <class = when_called>
  dense_svd svd(level w, const shape& image) const {
    check(image);
    const std::size_t d = image.per_image();
    Eigen::MatrixXd mixed = w.value * as_matrix(in_double_->data(), d, d);
    mixed.diagonal().array() += 1.0 - w.value;
    return dense_svd{mixed};
  }

 private:
  void check(const shape& image) const {
    require(image.per_image() == in_double_->shape(0), "elements of an image", image.per_image(),
            "the rows of the matrix");
  }
  template <class T>
  const tensor<T>& in_precision() const {
    if constexpr (std::is_same_v<T, float>)
      return *in_float_;
    else
      return *in_double_;
  }

  // Images are rows: one product of all of them with A.
  template <Scalar T, class Be, class Product>
  void multiply(Be& be, view_of<Be, const T> in, view_of<Be, T> out, const Product& product) const {
    const shape& s = in.extent();
    check(s);
    tensor<T> rows(typename tensor<T>::shape_type{s.images, s.per_image()});
    be.download(in, rows.data());
    const tensor<T> found = product(rows, in_precision<T>());
    be.upload(found.data(), out);
  }
  // out = (1 - w) x + w out.
  template <Scalar T, class Be>
  void mix(Be& be, per_image<level> levels, view_of<Be, const T> in, view_of<Be, T> out) const {
    const std::size_t images = levels.shared() ? 1 : in.extent().images;
    detail::pooled_array<double> own{images}, mixed{images};
    for (std::size_t i = 0; i < images; ++i) {
      mixed[i] = levels[i].value;
      own[i] = 1.0 - mixed[i];
    }
    if (levels.shared()) {
      be.combine(out, term_of<Be, T>{own[0], in}, term{mixed[0], out});
    } else {
      be.combine(out, term_of<Be, T>{each_of(own), in}, term_of<Be, T>{each_of(mixed), out});
    }
  }

  std::shared_ptr<const tensor<double>> in_double_;
  std::shared_ptr<const tensor<float>> in_float_;
};
static_assert(LinearOperator<dense_matrix> && DifferentiableInLevel<dense_matrix> && HasSvd<dense_matrix>);

}  // namespace softscore::inline SOFTSCORE_ABI
