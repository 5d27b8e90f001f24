#pragma once

// The serial backend with all its operations: the only header to take it from, so that no operation can be missing.
#include <softscore/backend/operations.hpp>
#include <softscore/backend/serial/attention.hpp>
#include <softscore/backend/serial/backend.hpp>
#include <softscore/backend/serial/conv2d.hpp>
#include <softscore/backend/serial/layer_norm_gelu.hpp>
#include <softscore/backend/serial/layout.hpp>
#include <softscore/backend/serial/linear.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

static_assert(NetworkBackend<serial_backend, float> && NetworkBackend<serial_backend, double>);

}  // namespace softscore::inline SOFTSCORE_ABI
