#pragma once

#include <softscore/backend/tbb/simd.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// Winograd's minimal filtering F(4, 3): four outputs of a correlation with three taps from six products instead of
// twelve. As polynomials, the taps g and the output's weights y are evaluated at the points 0, a, -a, b, -b and
// infinity, and the six inputs d are the dual of the coefficients:
//
//     output_k = sum over i of g_i d_(k+i)  =  output(kernel(g) * data(d)),    * number by number
//
// and the gradients are the transposes: the gradient of the taps is kernel_adjoint(output_adjoint(dy) * data(d)). Both
// directions of a plane use the same transforms, so a tile of 4 x 4 outputs costs 36 products instead of 144. With a =
// 5/8 and b = 3/2 the numbers have similar magnitudes, and rounding grows half as much as with the usual 1 and 2.
//
// V is a number or a vector of them.
struct winograd {
  static constexpr std::size_t outputs = 4, taps = 3, points = 6;

  template <class V>
  SOFTSCORE_INLINE static void data(const V (&d)[points], V (&v)[points]) {
    const V even_a = d[4] - d[2] * b2, odd_a = (d[3] - d[1] * b2) * a;
    const V even_b = d[4] - d[2] * a2, odd_b = (d[3] - d[1] * a2) * b;
    v[0] = d[0] * (a2 * b2) - d[2] * (a2 + b2) + d[4];
    v[1] = even_a + odd_a;
    v[2] = even_a - odd_a;
    v[3] = even_b + odd_b;
    v[4] = even_b - odd_b;
    v[5] = d[1] * (a2 * b2) - d[3] * (a2 + b2) + d[5];
  }

  template <class V>
  SOFTSCORE_INLINE static void kernel(const V (&g)[taps], V (&u)[points]) {
    const V even_a = (g[0] + g[2] * a2) * of_a, odd_a = g[1] * (a * of_a);
    const V even_b = (g[0] + g[2] * b2) * of_b, odd_b = g[1] * (b * of_b);
    u[0] = g[0] * of_0;
    u[1] = even_a + odd_a;
    u[2] = even_a - odd_a;
    u[3] = even_b + odd_b;
    u[4] = even_b - odd_b;
    u[5] = g[2];
  }

  template <class V>
  SOFTSCORE_INLINE static void output(const V (&m)[points], V (&y)[outputs]) {
    const V even_a = m[1] + m[2], odd_a = m[1] - m[2], even_b = m[3] + m[4], odd_b = m[3] - m[4];
    y[0] = m[0] + even_a + even_b;
    y[1] = odd_a * a + odd_b * b;
    y[2] = even_a * a2 + even_b * b2;
    y[3] = odd_a * (a * a2) + odd_b * (b * b2) + m[5];
  }

  template <class V>
  SOFTSCORE_INLINE static void output_adjoint(const V (&y)[outputs], V (&m)[points]) {
    const V even_a = y[0] + y[2] * a2, odd_a = y[1] * a + y[3] * (a * a2);
    const V even_b = y[0] + y[2] * b2, odd_b = y[1] * b + y[3] * (b * b2);
    m[0] = y[0];
    m[1] = even_a + odd_a;
    m[2] = even_a - odd_a;
    m[3] = even_b + odd_b;
    m[4] = even_b - odd_b;
    m[5] = y[3];
  }

  template <class V>
  SOFTSCORE_INLINE static void kernel_adjoint(const V (&u)[points], V (&g)[taps]) {
    const V even_a = (u[1] + u[2]) * of_a, odd_a = (u[1] - u[2]) * of_a;
    const V even_b = (u[3] + u[4]) * of_b, odd_b = (u[3] - u[4]) * of_b;
    g[0] = u[0] * of_0 + even_a + even_b;
    g[1] = odd_a * a + odd_b * b;
    g[2] = even_a * a2 + even_b * b2 + u[5];
  }

 private:
  static constexpr float a = 0.625f, b = 1.5f, a2 = a * a, b2 = b * b;
  // One over the product of the differences from the other points.
  static constexpr float of_0 = 1 / (a2 * b2), of_a = 1 / (2 * a2 * (a2 - b2)), of_b = 1 / (2 * b2 * (b2 - a2));
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
