#pragma once

#include <softscore/denoiser/concept.hpp>

/// The exact denoiser of data whose pixels are independent and normal, of mean 0 and variance 1/4, for corruptions with
/// C = a I: h = a v x / (a^2 v + sigma^2). The samples that it leads to should have variance 1/4.
template <class C>
struct gray_pixels {
  static constexpr int evaluations = 1;
  static constexpr double variance = 0.25;
  const C& corruption;

  struct nothing {};
  template <softscore::Scalar T, class Be>
  nothing workspace(Be&, softscore::shape) const {
    return {};
  }
  template <class Be, softscore::Scalar T>
  void estimate(Be& be, const softscore::condition& asked, softscore::in_of<Be, T> x, softscore::out_of<Be, T> out,
                nothing&) const {
    const double a = corruption.signal_gain(asked.times[0]), sigma = corruption.sigma(asked.times[0]);
    const double gain = a * variance / (a * a * variance + sigma * sigma);
    be.combine(out, softscore::term_of<Be, T>{gain, x});
  }
};
template <class C>
gray_pixels(const C&) -> gray_pixels<C>;

/// The mean square of a drawn batch.
template <class Drawn>
double mean_square(const Drawn& end) {
  const auto x = end.x.view();
  double sum = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return sum / static_cast<double>(x.size());
}
