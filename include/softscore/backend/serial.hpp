#pragma once

// The serial backend with all its operations. Include only this header, so that no operation can be missing.
#include <softscore/backend/operations.hpp>
#include <softscore/backend/pooling.hpp>
#include <softscore/backend/resampling.hpp>
#include <softscore/backend/serial/activate.hpp>
#include <softscore/backend/serial/attention.hpp>
#include <softscore/backend/serial/backend.hpp>
#include <softscore/backend/serial/channels.hpp>
#include <softscore/backend/serial/concatenate.hpp>
#include <softscore/backend/serial/conv2d.hpp>
#include <softscore/backend/serial/dropout.hpp>
#include <softscore/backend/serial/group_norm.hpp>
#include <softscore/backend/serial/layer_norm.hpp>
#include <softscore/backend/serial/layer_norm_gelu.hpp>
#include <softscore/backend/serial/layout.hpp>
#include <softscore/backend/serial/linear.hpp>
#include <softscore/backend/serial/map_planes.hpp>
#include <softscore/backend/serial/rows.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

static_assert(NetworkBackend<serial_backend, float> && NetworkBackend<serial_backend, double>);

}  // namespace softscore::inline SOFTSCORE_ABI
