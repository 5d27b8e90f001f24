#pragma once

#include <softscore/backend/bodies.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>

namespace softscore {  // shared

/// The function that a layer applies to every element of its result: PyTorch's Identity, SiLU, ReLU, GELU and
/// GELU(approximate = "tanh").
enum class activation { none, silu, relu, gelu, gelu_tanh };

}  // namespace softscore

namespace softscore::inline SOFTSCORE_ABI {

/// Computes the logistic function 1 / (1 + exp(-z)) of a number, and 1 minus it, each to full relative precision.
/// Numbers below -700 (-87 in float) are treated as that limit, so that the exponential stays finite.
template <class T>
struct logistic {
  T value, complement;

  SOFTSCORE_HD explicit logistic(T z) {
    constexpr T least = sizeof(T) == sizeof(double) ? T(-700) : T(-87);
    const T e = std::exp(z < least ? -least : -z);  // a NaN stays NaN
    value = T(1) / (T(1) + e);
    complement = e * value;
  }
};

/// The identity, as an activation.
struct no_activation {
  template <class T>
  SOFTSCORE_HD static T value(T z) {
    return z;
  }
  template <class T>
  SOFTSCORE_HD static T derivative(T /*z*/) {
    return T(1);
  }
};

/// SiLU(z) = z / (1 + exp(-z)), also called swish (Elfwing et al. 2018).
struct silu {
  template <class T>
  SOFTSCORE_HD static T value(T z) {
    return z * logistic<T>{z}.value;
  }
  template <class T>
  SOFTSCORE_HD static T derivative(T z) {
    const logistic<T> of{z};
    return of.value * (T(1) + z * of.complement);
  }
};

/// ReLU(z) = max(z, 0); its slope at 0 is 0, as in PyTorch. A NaN stays NaN.
struct relu {
  template <class T>
  SOFTSCORE_HD static T value(T z) {
    return z < T(0) ? T(0) : z;
  }
  template <class T>
  SOFTSCORE_HD static T derivative(T z) {
    return z > T(0) ? T(1) : T(0);
  }
};

/// The tanh form of GELU, z (1 + tanh(k (z + 0.044715 z^3))) / 2 with k = sqrt(2 / pi) (Hendrycks and Gimpel 2016). It
/// is computed with the equivalent sigmoid: (1 + tanh(t)) / 2 = 1 / (1 + exp(-2 t)).
struct gelu_tanh {
  template <class T>
  SOFTSCORE_HD static T value(T z) {
    return z * logistic<T>{exponent(z)}.value;
  }
  template <class T>
  SOFTSCORE_HD static T derivative(T z) {
    const logistic<T> of{exponent(z)};
    const T slope = T(1.59576912160573071) * (T(1) + T(3 * 0.044715) * z * z);
    return of.value * (T(1) + z * of.complement * slope);
  }

 private:
  template <class T>
  SOFTSCORE_HD static T exponent(T z) {
    return T(1.59576912160573071) * (z + T(0.044715) * z * z * z);
  }
};

namespace detail {

// Calls body with the scalar functions of an activation, so that the choice is made before a loop over elements starts.
template <class Body>
void with_activation(activation which, const Body& body) {
  switch (which) {
    case activation::none:
      return body(no_activation{});
    case activation::silu:
      return body(silu{});
    case activation::relu:
      return body(relu{});
    case activation::gelu:
      return body(gelu{});
    case activation::gelu_tanh:
      return body(gelu_tanh{});
  }
}

}  // namespace detail

}  // namespace softscore::inline SOFTSCORE_ABI
