#pragma once

// The CUDA backend with all its operations. Include only this header, so that no operation can be missing. It is for
// files that nvcc compiles (softscore::cuda).
#if !defined(__CUDACC__)
#error "softscore: softscore/backend/cuda.hpp is for files that a CUDA compiler compiles"
#endif

#include <softscore/backend/cuda/activate.hpp>
#include <softscore/backend/cuda/attention.hpp>
#include <softscore/backend/cuda/backend.cuh>
#include <softscore/backend/cuda/channels.hpp>
#include <softscore/backend/cuda/concatenate.hpp>
#include <softscore/backend/cuda/conv2d.hpp>
#include <softscore/backend/cuda/dropout.hpp>
#include <softscore/backend/cuda/group_norm.hpp>
#include <softscore/backend/cuda/layer_norm.hpp>
#include <softscore/backend/cuda/layer_norm_gelu.hpp>
#include <softscore/backend/cuda/linear.hpp>
#include <softscore/backend/cuda/map_planes.hpp>
#include <softscore/backend/cuda/rows.hpp>
#include <softscore/backend/operations.hpp>
#include <softscore/backend/pooling.hpp>
#include <softscore/backend/resampling.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

static_assert(NetworkBackend<cuda_backend, float> && NetworkBackend<cuda_backend, double>);

}  // namespace softscore::inline SOFTSCORE_ABI
