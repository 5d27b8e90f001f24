#pragma once

#include <cstddef>
#include <vector>

#include <softscore/backend/concept.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Clipping by the global norm (Daras et al. 2022, Appendix D; PyTorch's clip_grad_norm_): the gradient is multiplied
/// by min(1, most / (norm + 1e-6)). The factor is passed to Adam, so the gradient is not written again.
class clip {
 public:
  /// For flat gradients of `count` elements; `most` is the largest norm, and with infinity it only measures.
  clip(double most, std::size_t count)
      : most_{most}, blocks_{count / block}, rest_{count % block}, sums_(blocks_ + 1) {}

  /// Measures the gradient and returns the factor, which is NaN if the gradient is.
  template <class Be, class T>
  double factor(Be& be, out_of<Be, T> gradient) {
    const view_of<Be, const T> g = gradient;
    // Blocks of fixed length take the place of images, so the order of the sum depends only on the count.
    if (blocks_ > 0) {
      const auto whole = g.slice(0, {blocks_, 1, 1, block});
      be.dot(whole, whole, sums_.data());
    }
    sums_[blocks_] = 0;
    if (rest_ > 0) {
      const auto last = g.slice(blocks_ * block, {1, 1, 1, rest_});
      be.dot(last, last, sums_.data() + blocks_);
    }
    double sum = 0;
    for (const double s : sums_) sum += s;
    norm_ = std::sqrt(sum);
    const double ratio = most_ / (norm_ + 1e-6);
    return ratio < 1 || std::isnan(ratio) ? ratio : 1;
  }

  /// The norm that `factor` measured last, before clipping.
  double norm() const { return norm_; }

 private:
  static constexpr std::size_t block = 4096;
  double most_, norm_{};
  std::size_t blocks_, rest_;
  std::vector<double> sums_;
};

}  // namespace softscore::inline SOFTSCORE_ABI
