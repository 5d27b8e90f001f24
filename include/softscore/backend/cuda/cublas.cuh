#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <type_traits>

#if !__has_include(<cublas_v2.h>)
#error \
    "softscore/backend/cuda/cublas.cuh needs a CUDA toolkit of version 12 or later with cuBLAS: link softscore::cuda (find_package(softscore COMPONENTS cuda))"
#endif
#include <cublas_v2.h>

#include <softscore/backend/cuda/gemm.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// How a GPU multiplies matrices of float: in float32 throughout, or with factors rounded to TF32 (10 bits of mantissa)
/// and sums in float32, which is faster and agrees with the host to three digits only.
enum class cuda_math { float32, tf32 };

namespace detail {

inline void check_cublas(cublasStatus_t result, const char* call) {
  if (result != CUBLAS_STATUS_SUCCESS) throw error(std::string{call} + " failed: " + cublasGetStatusString(result));
}

// cuBLAS' name for a type of number.
template <class Number>
struct cublas_type;
template <>
struct cublas_type<float> {
  static constexpr cudaDataType_t name = CUDA_R_32F;
};
template <>
struct cublas_type<double> {
  static constexpr cudaDataType_t name = CUDA_R_64F;
};
template <>
struct cublas_type<complex_number<float>> {
  static constexpr cudaDataType_t name = CUDA_C_32F;
};
template <>
struct cublas_type<complex_number<double>> {
  static constexpr cudaDataType_t name = CUDA_C_64F;
};
template <class Number>
inline constexpr bool is_single = std::is_same_v<Number, float> || std::is_same_v<Number, complex_number<float>>;

// A factor of rows x columns as cuBLAS reads it. cuBLAS stores matrices by columns, so it computes the transposed
// product, and a factor with contiguous rows is not transposed.
struct cublas_factor {
  cublasOperation_t turn;
  long long leading;
};
inline std::optional<cublas_factor> as_cublas_factor(std::size_t row, std::size_t column, std::size_t rows,
                                                     std::size_t columns, bool conjugated) {
  if (column == 1 && row >= columns && !conjugated) return cublas_factor{CUBLAS_OP_N, static_cast<long long>(row)};
  if (row == 1 && column >= rows)
    return cublas_factor{conjugated ? CUBLAS_OP_C : CUBLAS_OP_T, static_cast<long long>(column)};
  return std::nullopt;
}

// Sets every row of a batch of matrices to the bias, for products that are then added to it.
template <class Number>
struct bias_rows_task {
  Number* out;
  const Number* bias;
  std::size_t rows, columns, row, each, batch;
  grid launch() const { return image_grid(batch, rows * columns); }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    each_element_of_images(group, rows * columns, [&](std::size_t matrix, std::size_t i) {
      out[matrix * each + i / columns * row + i % columns] = bias[i % columns];
    });
  }
};

// Products of matrices through cuBLAS, on one stream with their own workspace: so their bits are the same from run to
// run, and they can be captured.
class cublas_products {
 public:
  explicit cublas_products(cuda_math math) : math_{math} {}
  cublas_products(const cublas_products&) = delete;
  cublas_products& operator=(const cublas_products&) = delete;
  ~cublas_products() { end(); }
  /// Must be called before the stream and the workspace are destroyed.
  void end() {
    if (handle_ != nullptr) static_cast<void>(cublasDestroy(handle_));
    handle_ = nullptr;
  }

  /// Whether cuBLAS should compute this product: it can, and the product is large enough to gain.
  template <class Number, std::size_t Rows, std::size_t Columns>
  bool takes(const multiply_task<Number, Rows, Columns>& task) const {
    // With few terms or few tiles a library saves nothing, unless the tensor cores take factors that our own kernel
    // keeps in float32.
    const bool tensor_cores = is_single<Number> && math_ == cuda_math::tf32;
    const std::size_t least = tensor_cores ? 16 : 128, least_work = tensor_cores ? 0 : std::size_t{1} << 22;
    return (std::min)({task.m, task.n, task.k}) >= least && task.m * task.n * task.k * task.batch >= least_work &&
           task.c.column == 1 && task.c.row >= task.n && (task.bias == nullptr || task.how.accumulate == 0) &&
           factor_a(task) && factor_b(task);
  }

  /// Computes the product; rows of c hold the bias already, if there is one. `make_workspace(bytes)` returns memory of
  /// the device that lives as long as this object, the same at every call.
  template <class Number, std::size_t Rows, std::size_t Columns, class MakeWorkspace>
  void multiply(const multiply_task<Number, Rows, Columns>& task, cudaStream_t stream,
                const MakeWorkspace& make_workspace) {
    if (handle_ == nullptr) begin(stream, make_workspace);
    const cublas_factor a = *factor_a(task), b = *factor_b(task);
    const Number one = unit<Number>(1), kept = unit<Number>(task.how.accumulate != 0 || task.bias != nullptr ? 1 : 0);
    constexpr cudaDataType_t type = cublas_type<Number>::name;
    const cublasComputeType_t compute = !is_single<Number>         ? CUBLAS_COMPUTE_64F
                                        : math_ == cuda_math::tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32
                                                                   : CUBLAS_COMPUTE_32F;
    // The transposed product: its rows are our columns, and the factors are exchanged.
    check_cublas(
        cublasGemmStridedBatchedEx_64(handle_, b.turn, a.turn, signed_(task.n), signed_(task.m), signed_(task.k), &one,
                                      task.b.data, type, b.leading, signed_(task.b.each), task.a.data, type, a.leading,
                                      signed_(task.a.each), &kept, task.c.data, type, signed_(task.c.row),
                                      signed_(task.c.each), signed_(task.batch), compute, CUBLAS_GEMM_DEFAULT),
        "cublasGemmStridedBatchedEx");
  }

 private:
  // What NVIDIA recommends for its newest GPUs; less is enough for older ones.
  static constexpr std::size_t workspace_bytes = std::size_t{32} << 20;

  static long long signed_(std::size_t n) { return static_cast<long long>(n); }
  template <class Number>
  static Number unit(int n) {
    if constexpr (std::is_floating_point_v<Number>)
      return static_cast<Number>(n);
    else
      return Number{static_cast<decltype(Number{}.re)>(n), 0};
  }
  template <class Task>
  static std::optional<cublas_factor> factor_a(const Task& task) {
    return as_cublas_factor(task.a.row, task.a.column, task.m, task.k, task.how.conjugate_a != 0);
  }
  template <class Task>
  static std::optional<cublas_factor> factor_b(const Task& task) {
    return as_cublas_factor(task.b.row, task.b.column, task.k, task.n, task.how.conjugate_b != 0);
  }
  template <class MakeWorkspace>
  void begin(cudaStream_t stream, const MakeWorkspace& make_workspace) {
    void* const workspace = make_workspace(workspace_bytes);
    cublasHandle_t made{};
    check_cublas(cublasCreate(&made), "cublasCreate");
    handle_ = made;
    cublasStatus_t result = cublasSetStream(handle_, stream);  // this removes the workspace, so it comes first
    if (result == CUBLAS_STATUS_SUCCESS) result = cublasSetWorkspace(handle_, workspace, workspace_bytes);
    if (result != CUBLAS_STATUS_SUCCESS) end();
    check_cublas(result, "cublasSetWorkspace");
  }

  cuda_math math_;
  cublasHandle_t handle_{};
};

}  // namespace detail
}  // namespace softscore::inline SOFTSCORE_ABI
