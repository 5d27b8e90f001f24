#pragma once

// Products, solutions and eigenvectors of Eigen's matrices of doubles, compiled once for all tests (matrices.cpp beside
// this file), as operations.hpp does for networks.

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <Eigen/Eigenvalues>

// SHARED_MATRICES(keyword): explicit instantiations; the keyword is `extern` for their declarations and nothing for
// their definitions. Eigen's functions inside them are not declared inline, so that no other unit compiles them.
#define SHARED_MATRICES(keyword)                                                                                       \
  keyword template SelfAdjointEigenSolver<MatrixXd>& SelfAdjointEigenSolver<MatrixXd>::compute(                        \
      const EigenBase<MatrixXd>&, int);                                                                                \
  keyword template LDLT<MatrixXd>& LDLT<MatrixXd>::compute(const EigenBase<MatrixXd>&);                                \
  keyword template void LDLT<MatrixXd>::_solve_impl_transposed<true>(const Product<MatrixXd, MatrixXd>&, MatrixXd&)    \
      const;                                                                                                           \
  keyword template void LDLT<MatrixXd>::_solve_impl_transposed<true>(                                                  \
      const CwiseNullaryOp<internal::scalar_identity_op<double>, MatrixXd>&, MatrixXd&) const;                         \
  namespace internal {                                                                                                 \
  keyword template struct general_matrix_matrix_product<Index, double, ColMajor, false, double, ColMajor, false,       \
                                                        ColMajor, 1>;                                                  \
  keyword template struct general_matrix_matrix_product<Index, double, ColMajor, false, double, RowMajor, false,       \
                                                        ColMajor, 1>;                                                  \
  keyword template struct general_matrix_matrix_product<Index, double, RowMajor, false, double, ColMajor, false,       \
                                                        ColMajor, 1>;                                                  \
  keyword template struct gebp_kernel<double, double, Index, blas_data_mapper<double, Index, ColMajor, Unaligned, 1>,  \
                                      gebp_traits<double, double>::mr, gebp_traits<double, double>::nr, false, false>; \
  keyword template struct general_matrix_vector_product<                                                               \
      Index, double, const_blas_data_mapper<double, Index, RowMajor>, RowMajor, false, double,                         \
      const_blas_data_mapper<double, Index, ColMajor>, false, 0>;                                                      \
  keyword template struct general_matrix_vector_product<                                                               \
      Index, double, const_blas_data_mapper<double, Index, RowMajor>, RowMajor, false, double,                         \
      const_blas_data_mapper<double, Index, RowMajor>, false, 1>;                                                      \
  keyword template struct general_matrix_vector_product<                                                               \
      Index, double, const_blas_data_mapper<double, Index, ColMajor>, ColMajor, false, double,                         \
      const_blas_data_mapper<double, Index, RowMajor>, false, 0>;                                                      \
  keyword template struct triangular_solve_matrix<double, Index, OnTheLeft, Lower | UnitDiag, false, ColMajor,         \
                                                  ColMajor, 1>;                                                        \
  keyword template struct triangular_solve_matrix<double, Index, OnTheLeft, Upper | UnitDiag, false, RowMajor,         \
                                                  ColMajor, 1>;                                                        \
  }

// Names inside Eigen belong to a version; with another one every unit compiles its own.
#if !EIGEN_VERSION_AT_LEAST(3, 4, 0) || EIGEN_VERSION_AT_LEAST(3, 4, 90)
#undef SHARED_MATRICES
#define SHARED_MATRICES(keyword)
#endif

#if !defined(SHARED_MATRICES_ARE_DEFINED_HERE)
namespace Eigen {

SHARED_MATRICES(extern)

}  // namespace Eigen
#endif
