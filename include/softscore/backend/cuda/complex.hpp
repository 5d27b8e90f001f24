#pragma once

#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// A complex number for kernels, two contiguous reals that move as one.
template <class T>
struct alignas(2 * sizeof(T)) complex_number {
  T re, im;

  SOFTSCORE_HD friend complex_number operator+(complex_number a, complex_number b) {
    return {a.re + b.re, a.im + b.im};
  }
  SOFTSCORE_HD friend complex_number operator-(complex_number a, complex_number b) {
    return {a.re - b.re, a.im - b.im};
  }
};

// sum += a b.
template <class T>
SOFTSCORE_HD void add_product(T& sum, T a, T b) {
  sum += a * b;
}
template <class T>
SOFTSCORE_HD void add_product(complex_number<T>& sum, complex_number<T> a, complex_number<T> b) {
  sum.re += a.re * b.re;
  sum.re -= a.im * b.im;
  sum.im += a.re * b.im;
  sum.im += a.im * b.re;
}

template <class T>
SOFTSCORE_HD T real_part(T a) {
  return a;
}
template <class T>
SOFTSCORE_HD T real_part(complex_number<T> a) {
  return a.re;
}

template <class T>
SOFTSCORE_HD T conjugate(T a) {
  return a;
}
template <class T>
SOFTSCORE_HD complex_number<T> conjugate(complex_number<T> a) {
  return {a.re, -a.im};
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
