#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/operator/diagonal.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Hides pixels in an order chosen by the user (a family of our own). Every pixel has the highest level at which it is
/// still visible, and level w hides, in all channels, the pixels whose number is below w. A map of two values is a mask
/// for in-painting; a map of distances opens or closes a shape. The levels are discrete, so C_t jumps in t.
class free_form_mask {
 public:
  static constexpr bool never_amplifies = true;

  /// `seen_until` holds height x width numbers, row by row; infinity means never hidden. Throws `error` if there are
  /// fewer or more, or if one of them is negative or NaN.
  template <class = when_called>
  free_form_mask(std::size_t height, std::size_t width, std::vector<double> seen_until)
      : height_{height}, width_{width} {
    require(seen_until.size() == height * width && !seen_until.empty(), "length of seen_until", seen_until.size(),
            "height times width, and not 0");
    for (const double w : seen_until) require(w >= 0.0, "a number of seen_until", w, "at least 0");
    table_ = std::make_shared<const std::vector<double>>(std::move(seen_until));
  }

 private:
  friend struct degradation<free_form_mask>;

  std::size_t height_, width_;
  std::shared_ptr<const std::vector<double>> table_;
};

template <>
struct degradation<free_form_mask> : diagonal<degradation<free_form_mask>> {
  struct nothing {};
  static nothing parameters(const free_form_mask&) { return {}; }
  static const std::shared_ptr<const std::vector<double>>& table(const free_form_mask& op) { return op.table_; }
  static void check(const free_form_mask& op, const shape& s) {
    if (s.height != op.height_ || s.width != op.width_)
      reject("the extent of the images", s,
             "as high and as wide as the mask, " + std::to_string(op.height_) + " x " + std::to_string(op.width_));
  }

  SOFTSCORE_HD static double entry(nothing, level w, const shape& s, pixel p, const double* seen_until) {
    return seen_until[p.row * s.width + p.column] < w.value ? 0.0 : 1.0;
  }
  static level compose(const free_form_mask&, level first, level second) { return first > second ? first : second; }
};
static_assert(LinearOperator<free_form_mask> && ComposesLevels<free_form_mask> && HasSvd<free_form_mask>);

}  // namespace softscore::inline SOFTSCORE_ABI
