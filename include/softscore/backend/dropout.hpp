#pragma once

#include <cstddef>
#include <cstdint>

#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/noise.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Decides which elements dropout keeps, and their factor (Srivastava et al. 2014, scaled in training). Word e of the
/// key and the number of the image in the run (word e % 4 of `random_words` with block e / 4) belongs to element e of
/// the image in plain order (C,H,W), or to channel e if whole channels are dropped. The element is kept if its word is
/// at least floor(2^32 probability). So the mask is the same on every backend and in any batch.
class dropout_rule {
 public:
  /// Throws `error` unless 0 <= probability < 1.
  explicit dropout_rule(double probability) : scale_{1 / (1 - probability)} {
    require(probability >= 0 && probability < 1, "the probability of dropout", probability, "at least 0 and below 1");
    threshold_ = static_cast<std::uint32_t>(probability * 0x1p32);
  }

  SOFTSCORE_HD std::uint32_t threshold() const { return threshold_; }
  SOFTSCORE_HD double scale() const { return scale_; }
  /// Returns the result for the element x whose word is `word`.
  template <class T>
  SOFTSCORE_HD T operator()(T x, std::uint32_t word) const {
    return word >= threshold_ ? x * static_cast<T>(scale_) : T(0);
  }

 private:
  double scale_;
  std::uint32_t threshold_{};
};

}  // namespace softscore::inline SOFTSCORE_ABI
