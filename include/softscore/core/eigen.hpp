#pragma once

#include <cstddef>
#include <span>
#include <string_view>

// The one header that includes Eigen, for decompositions and products. Its own warnings are not ours to fix.
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#if !defined(__clang__)  // GCC's own vector intrinsics, and loops it unrolls, cause these when inlined
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Warray-bounds"
#pragma GCC diagnostic ignored "-Waggressive-loop-optimizations"
#endif
#endif
// Eigen's decompositions stay on the host. This macro keeps Eigen from marking its functions for a device.
#if defined(__CUDACC__) && !defined(EIGEN_NO_CUDA)
#define EIGEN_NO_CUDA
#endif
#if !__has_include(<Eigen/Dense>)
#error "softscore/core/eigen.hpp needs Eigen: link softscore::analysis (find_package(softscore COMPONENTS analysis))"
#endif
#include <Eigen/Dense>
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

#include <softscore/core/checked_size.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/view.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// A matrix whose rows are contiguous, as our arrays are.
template <class T>
using row_matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// Converts a size to Eigen's signed index type.
inline Eigen::Index eigen_index(std::size_t n) { return static_cast<Eigen::Index>(n); }

/// Returns an uninitialized matrix of that size. Throws `error` naming `what` if there is not enough memory.
template <class Matrix>
Matrix matrix_of(std::string_view what, Eigen::Index rows, Eigen::Index columns) {
  const std::size_t bytes = product_of(what, {static_cast<std::size_t>(rows), static_cast<std::size_t>(columns)},
                                       most_bytes / sizeof(typename Matrix::Scalar)) *
                            sizeof(typename Matrix::Scalar);
  return with_memory(what, bytes, [&] { return Matrix(rows, columns); });
}

/// Returns `rows` x `columns` elements, starting at `data`, as an Eigen matrix that refers to them.
template <class T>
Eigen::Map<row_matrix<T>> as_matrix(T* data, std::size_t rows, std::size_t columns) {
  return {data, eigen_index(rows), eigen_index(columns)};
}
template <class T>
Eigen::Map<const row_matrix<T>> as_matrix(const T* data, std::size_t rows, std::size_t columns) {
  return {data, eigen_index(rows), eigen_index(columns)};
}

/// Returns a host batch as a matrix with one image per row.
template <class T, class Space>
  requires(Space::host)
auto as_matrix(view<T, Space> v) {
  return as_matrix(v.image(0).data(), v.extent().images, v.extent().per_image());
}

/// Returns contiguous numbers as an Eigen column that refers to them.
template <class T>
Eigen::Map<Eigen::Matrix<T, Eigen::Dynamic, 1>> as_vector(std::span<T> v) {
  return {v.data(), eigen_index(v.size())};
}
template <class T>
Eigen::Map<const Eigen::Matrix<T, Eigen::Dynamic, 1>> as_vector(std::span<const T> v) {
  return {v.data(), eigen_index(v.size())};
}

}  // namespace softscore::inline SOFTSCORE_ABI
