#pragma once

#include <softscore/backend/activation.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The element body y = F::value(z), for the scalar functions F of an activation; y may be z.
template <class F>
struct activate_body {
  template <class T>
  SOFTSCORE_HD void operator()(T& y, const T& z) const {
    y = F::value(z);
  }
};

/// The element body dz = dy F::derivative(z); dz may be dy.
template <class F>
struct activate_backward_body {
  template <class T>
  SOFTSCORE_HD void operator()(T& dz, const T& dy, const T& z) const {
    dz = dy * F::derivative(z);
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI
