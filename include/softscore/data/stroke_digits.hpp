#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numbers>
#include <span>

#include <softscore/core/checked_size.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/xtensor.hpp>
#include <softscore/data/labeled_images.hpp>
#include <softscore/data/stroke_glyphs.hpp>
#include <softscore/data/stroke_pen.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

// Slant, rotation, proportions and a slow bend of the sheet, then position and size on the paper: about 20 of 28 pixels
// high, and such that no ink reaches the outermost pixels.
template <class Pen>
void place_digit(Pen& pen, ink_dice& dice, double side, double half_width) {
  const double slant = dice.normal(0.12, 0.16), turn = dice.normal(0.0, 0.06), aspect = dice.uniform(0.8, 1.12);
  const double bend_x = dice.normal(0.0, 0.02), bend_y = dice.normal(0.0, 0.02);
  const double phase_x = dice.uniform(0.0, 1.0), phase_y = dice.uniform(0.0, 1.0);
  const double height = side * std::clamp(dice.normal(0.71, 0.045), 0.6, 0.8);
  const double shift_x = side * dice.normal(0.0, 0.022), shift_y = side * dice.normal(0.0, 0.022);
  const double cosine = std::cos(turn), sine = std::sin(turn);

  double left = 1e9, right = -1e9, top = 1e9, bottom = -1e9;
  for (auto& p : pen.points()) {
    const double wide = aspect * p.x - slant * p.y + bend_x * std::sin(2 * std::numbers::pi * (p.y + phase_x));
    const double high = p.y + bend_y * std::sin(2 * std::numbers::pi * (p.x + phase_y));
    p = {cosine * wide - sine * high, sine * wide + cosine * high};
    left = (std::min)(left, p.x), right = (std::max)(right, p.x);
    top = (std::min)(top, p.y), bottom = (std::max)(bottom, p.y);
  }
  const double room = side - 2.5 * half_width - 2.6;
  const double scale = (std::min)({height, room / (bottom - top), room / (std::max)(right - left, 0.1)});
  // A digit that fills the available room cannot move, except for rounding.
  const double free_x = (std::max)(0.0, 0.5 * (room - scale * (right - left))),
               free_y = (std::max)(0.0, 0.5 * (room - scale * (bottom - top)));
  const double x = 0.5 * side + std::clamp(shift_x, -free_x, free_x),
               y = 0.5 * side + std::clamp(shift_y, -free_y, free_y);
  for (auto& p : pen.points()) {
    p = {x + scale * (p.x - 0.5 * (left + right)), y + scale * (p.y - 0.5 * (top + bottom))};
  }
}

/// Draws one digit on an empty sheet.
template <class Paper>
void ink_digit(std::size_t digit, std::uint64_t seed, std::uint64_t image, std::size_t side, Paper& paper) {
  ink_dice dice{seed, image};
  ink_pen<> pen{dice, dice.uniform(0.012, 0.032)};
  draw_digit(digit, pen, dice);
  const double pixel = static_cast<double>(side) / 28.0;
  const double half_width = pixel * std::clamp(1.2 * std::exp(dice.normal(0.0, 0.26)), 0.7, 2.0);
  place_digit(pen, dice, static_cast<double>(side), half_width);

  // The pressure varies slowly along the path.
  const double depth = dice.uniform(0.0, 0.22), phase = dice.uniform(0.0, 1.0);
  const double length = (static_cast<double>(side)) * dice.uniform(0.5, 1.2);
  const auto width = [&](double s) {
    return half_width * (1.0 + depth * std::sin(2 * std::numbers::pi * (s / length + phase)));
  };
  const auto& points = pen.points();
  const auto& starts = pen.starts();
  paper.clear();
  double traveled = 0.0;
  for (std::size_t k = 0; k < starts.size(); ++k) {
    const std::size_t end = k + 1 < starts.size() ? starts[k + 1] : points.size();
    for (std::size_t i = starts[k]; i + 1 < end; ++i) {
      const double step = std::hypot(points[i + 1].x - points[i].x, points[i + 1].y - points[i].y);
      paper.piece(points[i], points[i + 1], width(traveled), width(traveled + step));
      traveled += step;
    }
  }
}

}  // namespace detail

/// Draws handwritten-looking digits: `count` images of side x side pixels in [0, 1] (white ink on black, one channel),
/// from number `first` on. Image i shows the digit i mod 10 in one of several ways of writing it, with its own hand,
/// slant, width, pen and position. It is a function of (seed, i, side) alone; pixels are multiples of 1/255, which
/// hides differences in rounding between compilers. Use the numbers after the training images as test images: the same
/// seed, another `first`. Throws `error` unless 1 <= count < 2^32 and 12 <= side <= 1024, and if there is not enough
/// memory for the images.
template <class = when_called>
labeled_images stroke_digits(std::size_t count, std::uint64_t seed, std::size_t side = 28, std::uint64_t first = 0) {
  require(side >= 12 && side <= 1024, "the side of the stroke digits", side, "from 12 to 1024 pixels");
  require(count > 0 && count <= (std::numeric_limits<std::uint32_t>::max)(), "the number of stroke digits", count,
          "positive and below 2^32");
  require(first <= (std::numeric_limits<std::uint64_t>::max)() - count, "the number of the first stroke digit", first,
          "below 2^64 with the number of digits added");
  labeled_images result{make_tensor({count, 1, side, side}), {}};
  reserve_for(result.labels, "number of labels", {count});
  detail::ink_paper<> paper{side};
  for (std::size_t i = 0; i < count; ++i) {
    const auto digit = static_cast<std::size_t>((first + i) % 10);
    detail::ink_digit(digit, seed, first + i, side, paper);
    paper.develop({result.pixels.data() + i * side * side, side * side});
    result.labels.push_back(static_cast<class_label>(digit));
  }
  return result;
}

/// Returns a training set and a test set of stroke digits that share no image.
template <class = when_called>
data_set stroke_digit_set(std::size_t training, std::size_t test, std::uint64_t seed, std::size_t side = 28) {
  return {stroke_digits(training, seed, side), stroke_digits(test, seed, side, training)};
}

}  // namespace softscore::inline SOFTSCORE_ABI
