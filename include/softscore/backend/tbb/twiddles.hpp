#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <numbers>

#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// The sign of the exponent.
enum class fft_sign { forward = -1, inverse = 1 };

// exp(sign * 2 pi i k / n) by its series, at compile time.
struct root_of_unity {
  float cosine, sine;

  constexpr root_of_unity(fft_sign sign, std::size_t k, std::size_t n) : cosine{}, sine{} {
    double turn = static_cast<double>(k % n) / static_cast<double>(n);
    if (turn > 0.5) turn -= 1;
    const double angle = 2 * std::numbers::pi * turn;
    double term = 1, c = 0, s = 0;
    for (int power = 0; power < 40; ++power) {
      (power % 2 == 0 ? c : s) += power % 4 < 2 ? term : -term;
      term *= angle / (power + 1);
    }
    cosine = static_cast<float>(c);
    sine = static_cast<float>(sign == fft_sign::forward ? -s : s);
  }

  constexpr root_of_unity(float of_cosine, float of_sine) : cosine{of_cosine}, sine{of_sine} {}

  // Its length minus 1.
  constexpr double excess() const {
    const double c = static_cast<double>(cosine), s = static_cast<double>(sine);
    return (c * c + s * s - 1) / 2;
  }
  // The same, with the larger component rounded to the next float outwards.
  constexpr root_of_unity longer() const {
    const auto next = [](float x) { return std::bit_cast<float>(std::bit_cast<std::uint32_t>(x) + 1); };
    return cosine * cosine < sine * sine ? root_of_unity{cosine, next(sine)} : root_of_unity{next(cosine), sine};
  }
};

inline constexpr float root_of_half = 0.70710678118654752440f;  // cosine and sine of an eighth of a turn

// exp(sign * 2 pi i j k / N), for the split of N = inner * outer.
//
// Rounded to nearest, the roots of order 32 are all too short, by 2e-8 on average. A convolution multiplies every
// number by roots in six transforms, so it would shrink whatever varies over a plane by 1.1e-7, but not its mean: an
// error that no sum averages out. So some short roots are replaced by the next longer ones, such that every row and
// every column has a mean length as close to 1 as possible, including the roots in the transforms of `inner` and
// `outer` numbers.
template <fft_sign Sign, std::size_t N>
struct twiddle_table {
  static constexpr std::size_t inner = N == 16 ? 4 : 8, outer = N / inner;
  float cosine[outer][inner], sine[outer][inner];
  double of_row[outer], of_column[inner];  // sums of lengths minus 1

  constexpr twiddle_table() : cosine{}, sine{}, of_row{}, of_column{} {
    // A transform of 8 rotates half of its numbers of odd index by an eighth of a turn.
    constexpr double eighth = root_of_unity{root_of_half, root_of_half}.excess() / 2;
    for (std::size_t j = 0; j < outer; ++j)
      for (std::size_t k = 0; k < inner; ++k) {
        cosine[j][k] = 1;
        add(j, k, (inner == 8 && k % 2 == 1 ? eighth : 0) + (outer == 8 && j % 2 == 1 ? eighth : 0));
      }
    for (int sweep = 0; sweep < 3; ++sweep)  // further sweeps change nothing
      for (std::size_t j = 0; j < outer; ++j)
        for (std::size_t k = 0; k < inner; ++k) choose(j, k);
  }

 private:
  constexpr void add(std::size_t j, std::size_t k, double excess) {
    of_row[j] += excess;
    of_column[k] += excess;
  }

  // Takes the nearest root or the next longer one, given the others.
  constexpr void choose(std::size_t j, std::size_t k) {
    add(j, k, -root_of_unity{cosine[j][k], sine[j][k]}.excess());
    const auto imbalance = [&](const root_of_unity& root) {
      const double row = of_row[j] + root.excess(), column = of_column[k] + root.excess();
      return row * row + column * column;
    };
    root_of_unity root{Sign, j * k, N};
    if (root.excess() < 0 && imbalance(root.longer()) < imbalance(root)) root = root.longer();
    cosine[j][k] = root.cosine;
    sine[j][k] = root.sine;
    add(j, k, root.excess());
  }
};
template <fft_sign Sign, std::size_t N>
inline constexpr twiddle_table<Sign, N> twiddles{};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
