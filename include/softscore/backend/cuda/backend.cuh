#pragma once

#include <cstddef>
#include <memory>

#include <softscore/backend/cuda/device.cuh>
#include <softscore/backend/cuda/device_backend.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Options of `cuda_backend`.
struct cuda_options {
  int device{0};           ///< which of the machine's devices
  std::size_t graphs{64};  ///< lists of work that are kept as CUDA graphs; with 0 every kernel is launched separately
  cuda_math math{cuda_math::float32};  ///< for large products of matrices of float
};

/// An NVIDIA GPU. Each backend has its own stream, so two on one device work concurrently. Sums have a fixed order: the
/// bits are the same from run to run. Throws `error` if there is no such device.
class cuda_backend : public device_backend<cuda_device> {
 public:
  explicit cuda_backend(const cuda_options& options = {})
      : device_backend{std::make_shared<cuda_device>(options.device, options.math), options.graphs} {}
};
static_assert(Backend<cuda_backend, float> && Backend<cuda_backend, double> && !HostBackend<cuda_backend>);

}  // namespace softscore::inline SOFTSCORE_ABI
