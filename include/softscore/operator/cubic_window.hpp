#pragma once

#include <cstddef>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// The cubic kernel (Keys 1981, with a = -1/2), stretched, around `center` on a line of n pixels: which pixels it
// reaches, from `first` to before `end`, and what each counts before the weights are divided by their sum.
struct cubic_window {
  double center, stretch;
  std::size_t first, end;

  SOFTSCORE_HD cubic_window(double center_, double stretch_, std::size_t n) : center{center_}, stretch{stretch_} {
    const double low = std::ceil(center - 2.0 * stretch), high = std::floor(center + 2.0 * stretch) + 1.0;
    first = low > 0.0 ? static_cast<std::size_t>(low) : 0;
    end = high < static_cast<double>(n) ? static_cast<std::size_t>(high) : n;
  }
  SOFTSCORE_HD double weight(std::size_t k) const { return kernel((static_cast<double>(k) - center) / stretch); }
  SOFTSCORE_HD double sum() const {
    double total = 0.0;
    for (std::size_t k = first; k < end; ++k) total += weight(k);
    return total;
  }

 private:
  SOFTSCORE_HD static double kernel(double x) {
    x = x < 0.0 ? -x : x;
    if (x < 1.0) return (1.5 * x - 2.5) * x * x + 1.0;
    return x < 2.0 ? ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0 : 0.0;
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
