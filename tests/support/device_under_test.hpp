#pragma once

// The device that tests of all backends are run on besides the host: a GPU where the test is compiled for one, and
// otherwise the CUDA backend's kernels on the host.
#if defined(__CUDACC__)

#include <cstddef>

#include <softscore/backend/cuda.hpp>
#include <softscore/backend/serial.hpp>

using device_under_test = softscore::cuda_backend;
// The backends of the host that the compiler at hand can compile.
#define HOST_BACKENDS softscore::serial_backend

/// A device that keeps so many lists of work as graphs.
inline device_under_test device_with_graphs(std::size_t graphs) {
  return device_under_test{softscore::cuda_options{.graphs = graphs}};
}

#else

#include <cstddef>

#include <softscore/backend/serial.hpp>
#include <softscore/backend/tbb.hpp>

#include "emulated_backend.hpp"

using device_under_test = softscore::emulated_backend;
#define HOST_BACKENDS softscore::serial_backend, softscore::tbb_backend

inline device_under_test device_with_graphs(std::size_t graphs) { return device_under_test{graphs}; }

#endif
