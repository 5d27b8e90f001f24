#pragma once

// The tbb backend with all its operations. Include only this header, so that no operation can be missing.
#include <softscore/backend/operations.hpp>
#include <softscore/backend/pooling.hpp>
#include <softscore/backend/resampling.hpp>
#include <softscore/backend/tbb/activate.hpp>
#include <softscore/backend/tbb/attention.hpp>
#include <softscore/backend/tbb/backend.hpp>
#include <softscore/backend/tbb/channels.hpp>
#include <softscore/backend/tbb/concatenate.hpp>
#include <softscore/backend/tbb/conv2d.hpp>
#include <softscore/backend/tbb/dropout.hpp>
#include <softscore/backend/tbb/group_norm.hpp>
#include <softscore/backend/tbb/layer_norm.hpp>
#include <softscore/backend/tbb/layer_norm_gelu.hpp>
#include <softscore/backend/tbb/layout.hpp>
#include <softscore/backend/tbb/linear.hpp>
#include <softscore/backend/tbb/map_planes.hpp>
#include <softscore/backend/tbb/rows.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

static_assert(NetworkBackend<tbb_backend, float> && NetworkBackend<tbb_backend, double>);

}  // namespace softscore::inline SOFTSCORE_ABI
