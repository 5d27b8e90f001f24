#pragma once

#include <cstddef>
#include <span>
#include <type_traits>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/operator/measurement.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The regularized inverse of a measurement, G b = (A^T A + rho I)^-1 A^T b, for any operator: conjugate gradients on
/// the backend (Hestenes and Stiefel 1952), where each image has its own step lengths and its own end. With rho = 0 it
/// is the pseudo-inverse, even if A has no inverse. The number of steps is at most the number of different singular
/// values of A, one for a mask. It is made once for batches of one shape; solving allocates nothing.
template <class Be, class T>
class regularized_inverse {
 public:
  /// Stops at a residual of `tolerance` times the first, or after `iterations` steps; `extent` is that of a batch.
  regularized_inverse(Be& be, const shape& extent, std::size_t iterations = 200,
                      double tolerance = std::is_same_v<T, double> ? 1e-13 : 1e-6)
      : image_{be.template make<T>(extent)},
        residual_{be.template make<T>(extent)},
        direction_{be.template make<T>(extent)},
        product_{be.template make<T>(extent)},
        iterations_{iterations},
        square_{tolerance * tolerance},
        first_(extent.images),
        left_(extent.images),
        curvature_(extent.images),
        step_(extent.images),
        back_(extent.images) {}

  /// Stores G b into `out`, which may be `b`.
  template <class Op>
  void solve(Be& be, const measurement<Op>& how, double rho, in_of<Be, T> b, out_of<Be, T> out) {
    using one = term_of<Be, T>;
    const std::size_t images = out.extent().images;
    const auto image = image_.view().images(0, images), r = residual_.view().images(0, images),
               p = direction_.view().images(0, images), q = product_.view().images(0, images);
    how.template adjoint<Be, T>(be, b, r);
    be.combine(p, one{1.0, r});
    be.combine(out, one{0.0, r});
    be.dot(r, r, first_.data());
    left_ = first_;
    for (std::size_t i = 0; i < iterations_; ++i) {
      bool done = true;
      for (std::size_t k = 0; k < images; ++k) done = done && left_[k] <= square_ * first_[k];
      if (done) return;
      how.template apply<Be, T>(be, p, image);
      how.template adjoint<Be, T>(be, image, q);
      be.combine(q, one{1.0, q}, one{rho, p});
      be.dot(p, q, curvature_.data());
      for (std::size_t k = 0; k < images; ++k) {
        const bool goes_on = left_[k] > square_ * first_[k] && curvature_[k] > 0.0;
        step_[k] = goes_on ? left_[k] / curvature_[k] : 0.0;
        back_[k] = -step_[k];
      }
      be.combine(out, one{1.0, out}, one{of(step_), p});
      be.combine(r, one{1.0, r}, one{of(back_), q});
      be.dot(r, r, curvature_.data());
      for (std::size_t k = 0; k < images; ++k) {
        // An image that has ended keeps its residual, so it never starts again.
        step_[k] = back_[k] != 0.0 ? curvature_[k] / left_[k] : 0.0;
        left_[k] = back_[k] != 0.0 ? curvature_[k] : 0.0;
      }
      be.combine(p, one{1.0, r}, one{of(step_), p});
    }
  }

 private:
  static per_image<double> of(const std::vector<double>& each) { return each_of(each); }

  array_of<Be, T> image_, residual_, direction_, product_;
  std::size_t iterations_;
  double square_;
  std::vector<double> first_, left_, curvature_, step_, back_;
};

}  // namespace softscore::inline SOFTSCORE_ABI
