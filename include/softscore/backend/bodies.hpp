#pragma once

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// GELU(z) = z P(Z <= z) for a standard normal Z, by the error function (PyTorch's default, not the tanh form).
struct gelu {
  template <class T>
  SOFTSCORE_HD static T probability(T z) {
    return T(0.5) * (T(1) + std::erf(z * T(0.70710678118654752440)));
  }
  template <class T>
  SOFTSCORE_HD static T value(T z) {
    return z * probability(z);
  }
  template <class T>
  SOFTSCORE_HD static T derivative(T z) {
    return probability(z) + z * T(0.39894228040143267794) * std::exp(T(-0.5) * z * z);
  }
};

/// The element body y = GELU(z).
struct gelu_body {
  template <class T>
  SOFTSCORE_HD void operator()(T& y, const T& z) const {
    y = gelu::value(z);
  }
};

/// The element body dz = dy GELU'(z); dz may be dy.
struct gelu_backward_body {
  template <class T>
  SOFTSCORE_HD void operator()(T& dz, const T& dy, const T& z) const {
    dz = dy * gelu::derivative(z);
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI
