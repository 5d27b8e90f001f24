#pragma once

// The device that tests of all backends are run on besides the host: a GPU where the test is compiled for one, and
// otherwise the CUDA backend's kernels on the host.
#if defined(__CUDACC__)

#include <softscore/backend/cuda.hpp>

using device_under_test = softscore::cuda_backend;

#else

#include "emulated_backend.hpp"

using device_under_test = softscore::emulated_backend;

#endif
