#pragma once

#include <array>
#include <cstddef>
#include <initializer_list>
#include <span>

#include <softscore/backend/concept.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>

namespace softscore {  // shared

/// A symmetric filter with an even number of taps, for rows and columns alike, made by `make_fir_filter`. The taps sum
/// to 1; `gain` multiplies the filter of the plane. `border` zeros surround the larger of the two planes.
struct fir_filter {
  static constexpr std::size_t most = 8;

  std::array<double, most> taps{};
  std::size_t count{};
  double gain{1};
  std::size_t border{};
};

}  // namespace softscore

namespace softscore::inline SOFTSCORE_ABI {

// Maps between planes of two resolutions, as bodies of `map_planes`. A transposed map is a gather too: each element of
// its result reads the elements that it contributed to, so that nothing is added across tasks.

/// Repeats every pixel twice in each direction.
struct upsample_nearest_body {
  template <class Plane>
  SOFTSCORE_HD typename Plane::value operator()(const Plane& in, std::size_t row, std::size_t column) const {
    return in(row / 2, column / 2);
  }
};

/// `scale` times the sum of the four pixels 2 row, 2 row + 1 by 2 column, 2 column + 1.
template <class T>
struct sum_of_four_body {
  T scale;

  template <class Plane>
  SOFTSCORE_HD typename Plane::value operator()(const Plane& in, std::size_t row, std::size_t column) const {
    const std::size_t r = 2 * row, c = 2 * column;
    return ((in(r, c) + in(r, c + 1)) + (in(r + 1, c) + in(r + 1, c + 1))) * scale;
  }
};

/// A quarter of the pixel that row and column belong to; zero in an odd last row or column.
template <class T>
struct quarter_body {
  template <class Plane>
  SOFTSCORE_HD typename Plane::value operator()(const Plane& in, std::size_t row, std::size_t column) const {
    if (row / 2 >= in.height || column / 2 >= in.width) return typename Plane::value{};
    return in(row / 2, column / 2) * T(0.25);
  }
};

/// Sets y (N,C,2H,2W): each pixel of x (N,C,H,W) twice in each direction.
template <class Be, class T>
void upsample_nearest_forward(Be& be, in_of<Be, T> x, out_of<Be, T> y) {
  map_planes(be, upsample_nearest_body{}, x, y);
}

/// Sets dx (N,C,H,W) from dy (N,C,2H,2W).
template <class Be, class T>
void upsample_nearest_backward(Be& be, in_of<Be, T> dy, out_of<Be, T> dx) {
  map_planes(be, sum_of_four_body<T>{T(1)}, dy, dx);
}

/// Sets y (N,C,H/2,W/2) to the means of squares of 2 x 2 pixels of x (N,C,H,W). An odd last row or column is left out.
template <class Be, class T>
void downsample_mean_forward(Be& be, in_of<Be, T> x, out_of<Be, T> y) {
  map_planes(be, sum_of_four_body<T>{T(0.25)}, x, y);
}

/// Sets dx (N,C,H,W) from dy (N,C,H/2,W/2).
template <class Be, class T>
void downsample_mean_backward(Be& be, in_of<Be, T> dy, out_of<Be, T> dx) {
  map_planes(be, quarter_body<T>{}, dy, dx);
}

/// Makes the filter whose weights are `taps` over their sum, times `gain`: (1, 3, 3, 1) in Karras et al. 2020. Throws
/// `error` unless there are 2, 4, 6 or 8 taps, symmetric, whose sum is finite and not 0.
inline fir_filter make_fir_filter(std::span<const double> taps, double gain = 1) {
  require(taps.size() >= 2 && taps.size() <= fir_filter::most && taps.size() % 2 == 0, "number of taps", taps.size(),
          "2, 4, 6 or 8");
  fir_filter filter{{}, taps.size(), gain, taps.size() / 2 - 1};
  double sum = 0;
  for (const double tap : taps) sum += tap;
  require(sum - sum == 0 && sum != 0, "the sum of the taps", sum, "finite and not 0");
  require(gain - gain == 0, "gain", gain, "finite");
  for (std::size_t k = 0; k < taps.size(); ++k) {
    require(taps[k] == taps[taps.size() - 1 - k], "a tap", taps[k], "equal to that at the same distance from the end");
    filter.taps[k] = taps[k] / sum;
  }
  return filter;
}
inline fir_filter make_fir_filter(std::initializer_list<double> taps, double gain = 1) {
  return make_fir_filter(std::span<const double>{taps.begin(), taps.size()}, gain);
}

/// Makes the same filter without zeros around the plane that it reads: (N,C,H,W) becomes (N,C,(H - count) / 2 + 1,
/// ...).
inline fir_filter without_border(fir_filter filter) {
  filter.border = 0;
  return filter;
}

/// A filter as the bodies below store it, in the precision of the planes.
template <class T>
struct fir_body {
  T taps[fir_filter::most];
  std::size_t count, border;
  T gain;

  explicit fir_body(const fir_filter& filter)
      : count{filter.count}, border{filter.border}, gain{static_cast<T>(filter.gain)} {
    for (std::size_t k = 0; k < fir_filter::most; ++k) taps[k] = static_cast<T>(filter.taps[k]);
  }
};

/// gain sum over j, k of taps[j] taps[k] x(2 row + j - b, 2 column + k - b) with the border b; x is zero outside.
template <class T>
struct fir_down_body : fir_body<T> {
  using fir_body<T>::fir_body;

  template <class Plane>
  SOFTSCORE_HD typename Plane::value operator()(const Plane& in, std::size_t row, std::size_t column) const {
    const std::size_t before = this->border;
    typename Plane::value sum{};
    for (std::size_t j = 0; j < this->count; ++j) {
      const std::size_t r = 2 * row + j - before;  // a negative number wraps around to one above any height
      if (r >= in.height) continue;
      typename Plane::value of_row{};
      for (std::size_t k = 0; k < this->count; ++k) {
        const std::size_t c = 2 * column + k - before;
        if (c < in.width) of_row += in(r, c) * this->taps[k];
      }
      sum += of_row * this->taps[j];
    }
    return sum * this->gain;
  }
};

/// gain sum over i, k of taps[2 i - row + h] taps[2 k - column + h] x(i, k) with h = count - 1 minus the border.
template <class T>
struct fir_up_body : fir_body<T> {
  using fir_body<T>::fir_body;

  template <class Plane>
  SOFTSCORE_HD typename Plane::value operator()(const Plane& in, std::size_t row, std::size_t column) const {
    const std::size_t half = this->count - 1 - this->border;
    typename Plane::value sum{};
    for (std::size_t j = (row + half) % 2; j < this->count; j += 2) {
      const std::size_t r = (row + j - half) / 2;  // a negative number wraps around to one above any height
      if (r >= in.height) continue;
      typename Plane::value of_row{};
      for (std::size_t k = (column + half) % 2; k < this->count; k += 2) {
        const std::size_t c = (column + k - half) / 2;
        if (c < in.width) of_row += in(r, c) * this->taps[k];
      }
      sum += of_row * this->taps[j];
    }
    return sum * this->gain;
  }
};

/// Sets y (N,C,H/2,W/2) to x (N,C,H,W), padded with the filter's zeros at each border and filtered, at every second
/// pixel. With the taps (1, 1) and gain 1 it is `downsample_mean_forward`.
template <class Be, class T>
void fir_downsample_forward(Be& be, const fir_filter& filter, in_of<Be, T> x, out_of<Be, T> y) {
  map_planes(be, fir_down_body<T>{filter}, x, y);
}

/// Sets dx (N,C,H,W) from dy (N,C,H/2,W/2).
template <class Be, class T>
void fir_downsample_backward(Be& be, const fir_filter& filter, in_of<Be, T> dy, out_of<Be, T> dx) {
  map_planes(be, fir_up_body<T>{filter}, dy, dx);
}

/// Sets y (N,C,2H,2W): x (N,C,H,W), at the even positions, with zeros between its pixels, is filtered. The gain that
/// preserves a constant image is 4. With the taps (1, 1) and gain 4 it is `upsample_nearest_forward`.
template <class Be, class T>
void fir_upsample_forward(Be& be, const fir_filter& filter, in_of<Be, T> x, out_of<Be, T> y) {
  map_planes(be, fir_up_body<T>{filter}, x, y);
}

/// Sets dx (N,C,H,W) from dy (N,C,2H,2W).
template <class Be, class T>
void fir_upsample_backward(Be& be, const fir_filter& filter, in_of<Be, T> dy, out_of<Be, T> dx) {
  map_planes(be, fir_down_body<T>{filter}, dy, dx);
}

}  // namespace softscore::inline SOFTSCORE_ABI
