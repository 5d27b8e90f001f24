#pragma once

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The range of clean pixels, [-1, 1] or [0, 1].
struct pixel_range {
  double low{-1.0}, high{1.0};

  /// Throws `error` unless low < high and both are finite.
  void check() const {
    require(std::isfinite(high), "upper end of the pixels' range", high, "finite");
    require(low < high && std::isfinite(high - low), "lower end of the pixels' range", low,
            "below the upper end, both finite");
  }
};

namespace detail {
// The element body out = h, clipped to the range.
struct clip_to_range {
  pixel_range range;
  template <class T>
  SOFTSCORE_HD void operator()(T& out, const T& h) const {
    const T low = static_cast<T>(range.low), high = static_cast<T>(range.high);
    out = h < low ? low : h > high ? high : h;
  }
};
}  // namespace detail

}  // namespace softscore::inline SOFTSCORE_ABI
