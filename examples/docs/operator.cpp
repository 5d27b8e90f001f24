// Three ways to write your own family of linear operators, each checked against the laws.
#include <cmath>
#include <cstddef>
#include <iostream>
#include <span>

#include <softscore/operator/check_laws.hpp>
#include <softscore/operator/diagonal.hpp>
#include <softscore/operator/gathered.hpp>
#include <softscore/operator/on_host.hpp>

// begin diagonal
struct dusk {
  double depth{1.0};  // how much faster the lowest row darkens than the highest
};

template <>
struct softscore::degradation<dusk> : softscore::diagonal<softscore::degradation<dusk>> {
  SOFTSCORE_HD static double entry(const dusk& d, level w, const shape& s, pixel p) {
    return std::exp(-w.value * (1.0 + d.depth * static_cast<double>(p.row) / static_cast<double>(s.height)));
  }
};
static_assert(softscore::LinearOperator<dusk>);
// end diagonal

// begin gathered
struct ghost {
  std::size_t shift{3};  // columns between the image and its ghost
};

template <>
struct softscore::degradation<ghost> : softscore::gathered<softscore::degradation<ghost>> {
  // out(c) = (1 - w / 2) in(c) + w / 2 in(c - shift), with zeros outside
  template <class T>
  SOFTSCORE_HD static T apply_pixel(const ghost& g, level w, const shape& s, pixel p, const T* image) {
    const T half = static_cast<T>(0.5 * w.value), own = image[p.offset(s)];
    const T other = p.column >= g.shift ? image[p.offset(s) - g.shift] : T{0};
    return (T{1} - half) * own + half * other;
  }
  template <class T>
  SOFTSCORE_HD static T adjoint_pixel(const ghost& g, level w, const shape& s, pixel p, const T* image) {
    const T half = static_cast<T>(0.5 * w.value), own = image[p.offset(s)];
    const T other = p.column + g.shift < s.width ? image[p.offset(s) + g.shift] : T{0};
    return (T{1} - half) * own + half * other;
  }
};
static_assert(softscore::LinearOperator<ghost>);
// end gathered

// begin on_host
struct column_mean {};

template <>
struct softscore::degradation<column_mean> : softscore::on_host<softscore::degradation<column_mean>> {
  // Replaces a share w of every column by the column's mean.
  template <class T>
  static void apply_image(const column_mean&, level w, const shape& s, std::span<const T> in, std::span<T> out) {
    for (std::size_t c = 0; c < s.channels; ++c)
      for (std::size_t x = 0; x < s.width; ++x) {
        T sum{};
        for (std::size_t y = 0; y < s.height; ++y) sum += in[pixel{c, y, x}.offset(s)];
        const T mean = sum / static_cast<T>(s.height), share = static_cast<T>(w.value);
        for (std::size_t y = 0; y < s.height; ++y) {
          const std::size_t at = pixel{c, y, x}.offset(s);
          out[at] = (T{1} - share) * in[at] + share * mean;
        }
      }
  }
  template <class T>
  static void transpose_image(const column_mean& op, level w, const shape& s, std::span<const T> in, std::span<T> out) {
    apply_image(op, w, s, in, out);  // a mean is its own transpose
  }
};
static_assert(softscore::LinearOperator<column_mean>);
// end on_host

int main() {
  // begin laws
  for (const softscore::law_report& report : {softscore::check_laws(dusk{}, {.level_max = 2.0}),
                                              softscore::check_laws(ghost{}), softscore::check_laws(column_mean{})}) {
    std::cout << report << '\n';
    if (!report.holds()) return 1;
  }
  // end laws
}
