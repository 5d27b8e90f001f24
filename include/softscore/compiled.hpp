#pragma once

// The compiled backend with all its operations; it needs the library softscore::compiled.
#include <softscore/backend/operations.hpp>
#include <softscore/backend/pooling.hpp>
#include <softscore/backend/resampling.hpp>
#include <softscore/compiled/backend.hpp>
#include <softscore/compiled/maps.hpp>
#include <softscore/compiled/plans.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

static_assert(NetworkBackend<compiled_backend, float> && NetworkBackend<compiled_backend, double>);

}  // namespace softscore::inline SOFTSCORE_ABI
