#pragma once

#include <cstddef>
#include <numbers>
#include <span>
#include <vector>

#include <softscore/backend/operations.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// out = cosines and sines of t 10000^(-i / (half - shift)), i = 0 .. half - 1 (Vaswani et al. 2017, as in diffusers),
// computed in double.
template <class T>
void sinusoid(double t, bool cosines_first, double shift, std::span<T> out) {
  const std::size_t half = out.size() / 2;
  const double rate = std::log(10000.0) / (static_cast<double>(half) - shift);
  for (std::size_t i = 0; i < half; ++i) {
    const double angle = t * std::exp(-rate * static_cast<double>(i));
    out[cosines_first ? i : half + i] = static_cast<T>(std::cos(angle));
    out[cosines_first ? half + i : i] = static_cast<T>(std::sin(angle));
  }
  if (out.size() % 2 == 1) out.back() = T{};
}

struct sine_body {
  template <class T>
  SOFTSCORE_HD void operator()(T& y, const T& x) const {
    y = std::sin(x);
  }
};
struct cosine_body {
  template <class T>
  SOFTSCORE_HD void operator()(T& y, const T& x) const {
    y = std::cos(x);
  }
};

// Turns d sine into the gradient in the angle.
struct angle_gradient_body {
  template <class T>
  SOFTSCORE_HD void operator()(T& d, const T& sine, const T& cosine, const T& d_cosine) const {
    d = d * cosine - d_cosine * sine;
  }
};

// Fourier features of numbers u such as log t (Tancik et al. 2020): the sines of 2 pi w u, then the cosines, or in the
// other order, with frequencies w (F) in the flat parameter array.
template <class Be, class T>
struct fourier_features {
  std::vector<T> staging;                                      // 2 pi u
  array_of<Be, T> numbers, angles, sines, cosines, d_cosines;  // (N,1), then (N,F)

  fourier_features(Be& be, std::size_t images, std::size_t frequencies)
      : staging(images),
        numbers{be.template make<T>({images, 1, 1, 1})},
        angles{be.template make<T>({images, frequencies, 1, 1})},
        sines{be.template make<T>({images, frequencies, 1, 1})},
        cosines{be.template make<T>({images, frequencies, 1, 1})},
        d_cosines{be.template make<T>({images, frequencies, 1, 1})} {}

  void set(std::size_t n, double u) { staging[n] = static_cast<T>(2 * std::numbers::pi * u); }

  // out (rows,2F) from the numbers that were set.
  void forward(Be& be, in_of<Be, T> frequencies, std::size_t rows, out_of<Be, T> out, bool cosines_first = false) {
    using constant = view_of<Be, const T>;
    const view_of<Be, T> angle = angles.view().images(0, rows), sine = sines.view().images(0, rows),
                         cosine = cosines.view().images(0, rows);
    be.upload(staging.data(), numbers.view().images(0, rows));
    linear_forward(be, constant{numbers.view().images(0, rows)}, frequencies, constant{}, angle);
    be.for_each(sine_body{}, sine, constant{angle});
    be.for_each(cosine_body{}, cosine, constant{angle});
    // Vectors have one order on every backend.
    concatenate(be, constant{cosines_first ? cosine : sine}, constant{cosines_first ? sine : cosine}, out);
  }
  // Sets the gradient in the frequencies from d (rows,2F), after `forward` with the cosines first.
  void backward(Be& be, in_of<Be, T> frequencies, std::size_t rows, in_of<Be, T> d, out_of<Be, T> d_frequencies) {
    using constant = view_of<Be, const T>;
    const view_of<Be, T> none{}, d_sine = angles.view().images(0, rows), sine = sines.view().images(0, rows),
                                 cosine = cosines.view().images(0, rows), d_cosine = d_cosines.view().images(0, rows);
    separate(be, d, d_cosine, d_sine);
    be.for_each(angle_gradient_body{}, d_sine, constant{sine}, constant{cosine}, constant{d_cosine});
    linear_backward(be, constant{numbers.view().images(0, rows)}, frequencies, constant{d_sine}, none, d_frequencies,
                    none);
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
