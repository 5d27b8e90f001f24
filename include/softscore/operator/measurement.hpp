#pragma once

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/operator/concept.hpp>
#include <softscore/operator/level_range.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The measurement of an inverse problem: y = A x_0 + sigma n, with n standard normal, where A = C_w is an operator
/// family at the fixed level `at` (Chung et al. 2023). y has the shape of x_0: if A reduces, it is reduce followed by
/// expand.
template <class Op>
struct measurement {
  static_assert(LinearOperator<Op>, "softscore: this type is not a linear operator: it lacks apply or adjoint");

  Op op;
  level at{};
  double sigma{};

  /// Throws `error` for a level or sigma that is negative or infinite, and for a level that the operator does not have.
  void check() const {
    require(at.value >= 0.0 && std::isfinite(at.value), "level of the measurement", at.value, "at least 0 and finite");
    require_level(op, at);
    require(sigma >= 0.0 && std::isfinite(sigma), "sigma of the measurement", sigma, "at least 0 and finite");
  }

  /// Stores A x into `out`.
  template <class Be, Scalar T>
  void apply(Be& be, in_of<Be, T> x, out_of<Be, T> out) const {
    degradation<Op>::apply(op, be, per_image<level>{at}, x, out);
  }

  /// Stores the transpose of A times y into `out`.
  template <class Be, Scalar T>
  void adjoint(Be& be, in_of<Be, T> y, out_of<Be, T> out) const {
    degradation<Op>::adjoint(op, be, per_image<level>{at}, y, out);
  }

  /// Measures `clean`: stores A clean + sigma n into `out`, where n are the standard normal numbers of the key.
  template <class Be, Scalar T>
  void observe(Be& be, noise_key key, image_range images, in_of<Be, T> clean, out_of<Be, T> out) const {
    apply<Be, T>(be, clean, out);
    if (sigma == 0.0) return;
    auto noise = be.template make<T>(out.extent());
    be.normal(key, images, noise.view());
    be.combine(out, term{1.0, out}, term{sigma, noise.view()});
  }
};
template <class Op>
measurement(Op, level, double) -> measurement<Op>;
template <class Op>
measurement(Op, level) -> measurement<Op>;

}  // namespace softscore::inline SOFTSCORE_ABI
