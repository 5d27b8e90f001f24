#pragma once

#include <softscore/core/config.hpp>
#include <softscore/data/stroke_pen.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// Ten digits as a hand writes them, in a box from (-0.35, -0.5) to (0.35, 0.5), y down, in the usual order of strokes.
// No call has two random draws among its arguments, because the compiler chooses the order of arguments.

template <class Pen>
void draw_zero(Pen& pen, ink_dice& dice) {
  const double width = dice.uniform(0.24, 0.42);
  if (dice.chance(0.6)) {
    const double from = dice.uniform(-0.32, -0.18), sweep = dice.uniform(0.94, 1.08), growth = dice.normal(1.0, 0.06);
    pen.arc({0, 0}, width, 0.5, from, -sweep, growth);
    return;
  }
  pen.move_to(0.1, -0.49);  // less even, with a small hook at both ends
  pen.curve_through({{-0.5 * width, -0.42},
                     {-width, 0.0},
                     {-0.6 * width, 0.42},
                     {0.05, 0.5},
                     {0.8 * width, 0.3},
                     {width, -0.1},
                     {0.6 * width, -0.42},
                     {dice.uniform(-0.12, 0.02), dice.uniform(-0.5, -0.4)}});
}

template <class Pen>
void draw_one(Pen& pen, ink_dice& dice) {
  const double flag = dice.uniform(0.12, 0.24);
  if (dice.chance(0.4)) {
    pen.move_to(-flag, -0.5 + 0.9 * flag);
    pen.line_to(0.02, -0.5);
  } else {
    pen.move_to(0.0, -0.5);
  }
  pen.line_to(0.0, 0.5);
  if (dice.chance(0.2)) {
    const double foot = dice.uniform(0.16, 0.26);
    pen.move_to(-foot, 0.5);
    pen.line_to(foot, 0.5);
  }
}

template <class Pen>
void draw_two(Pen& pen, ink_dice& dice) {
  pen.move_to(-0.28, -0.28);
  if (dice.chance(0.35)) {  // a loop at the lower left
    pen.curve_through({{-0.1, -0.48},
                       {0.16, -0.44},
                       {0.24, -0.2},
                       {0.08, 0.12},
                       {-0.2, 0.44},
                       {-0.34, 0.4},
                       {-0.2, 0.27},
                       {0.06, 0.42},
                       {0.34, 0.44}});
  } else {
    pen.curve_through({{-0.12, -0.47}, {0.14, -0.46}, {0.26, -0.24}, {0.12, 0.06}, {-0.3, 0.46}});
    pen.line_to(0.33, dice.uniform(0.4, 0.5));
  }
}

template <class Pen>
void draw_three(Pen& pen, ink_dice& dice) {
  if (dice.chance(0.2)) {  // a flat top
    pen.move_to(-0.26, -0.47);
    pen.line_to(0.24, -0.47);
    pen.line_to(-0.04, -0.1);
  } else {
    pen.move_to(-0.26, -0.38);
    pen.curve_through({{-0.04, -0.5}, {0.21, -0.37}, {0.14, -0.13}, {-0.08, -0.03}});
  }
  pen.curve_through({{0.18, 0.04}, {0.27, 0.25}, {0.08, 0.48}, {-0.28, 0.38}});
}

template <class Pen>
void draw_four(Pen& pen, ink_dice& dice) {
  const double style = dice.uniform(0.0, 1.0);
  if (style < 0.3) {  // closed, in one stroke
    pen.move_to(0.14, 0.5);
    pen.line_to(0.14, -0.48);
    pen.line_to(-0.34, 0.14);
    pen.line_to(0.36, 0.12);
    return;
  }
  pen.move_to(-0.2, -0.48);
  if (style < 0.65) {  // open, with a corner
    pen.line_to(-0.3, 0.06);
    pen.line_to(0.32, 0.04);
  } else {  // open and round
    pen.curve_through({{-0.3, -0.16}, {-0.22, 0.06}, {0.04, 0.06}, {0.24, -0.04}});
  }
  pen.move_to(0.2, dice.uniform(-0.5, -0.3));
  pen.line_to(0.14, 0.5);
}

template <class Pen>
void draw_five(Pen& pen, ink_dice& dice) {
  const bool one_stroke = dice.chance(0.5);
  if (one_stroke) {
    pen.move_to(0.3, -0.47);
    pen.line_to(-0.18, -0.46);
  } else {
    pen.move_to(-0.18, -0.46);
  }
  pen.line_to(-0.23, -0.08);
  pen.curve_through({{0.0, -0.13}, {0.24, 0.02}, {0.25, 0.28}, {0.04, 0.48}, {-0.28, 0.4}});
  if (!one_stroke) {
    pen.move_to(-0.17, -0.47);
    pen.line_to(0.32, -0.48);
  }
}

template <class Pen>
void draw_six(Pen& pen, ink_dice& dice) {
  const double top = dice.uniform(-0.02, 0.22);
  pen.move_to(top, -0.5);
  pen.curve_through({{0.35 * top - 0.17, -0.22},
                     {-0.26, 0.12},
                     {-0.17, 0.42},
                     {0.08, 0.48},
                     {0.26, 0.26},
                     {0.12, 0.05},
                     {-0.1, 0.12},
                     {-0.22, dice.uniform(0.26, 0.36)}});
}

template <class Pen>
void draw_seven(Pen& pen, ink_dice& dice) {
  if (dice.chance(0.25)) {  // a serif
    pen.move_to(-0.29, dice.uniform(-0.34, -0.26));
    pen.line_to(-0.3, -0.45);
  } else {
    pen.move_to(-0.3, -0.44);
  }
  pen.line_to(0.28, -0.47);
  const double foot = dice.uniform(-0.16, 0.06);
  if (dice.chance(0.5)) {
    pen.line_to(foot, 0.5);
  } else {
    pen.curve_through({{0.14, -0.12}, {foot + 0.02, 0.22}, {foot - 0.02, 0.5}});
  }
  if (dice.chance(0.35)) {  // a bar
    pen.move_to(-0.14, 0.04);
    pen.line_to(0.24, 0.0);
  }
}

template <class Pen>
void draw_eight(Pen& pen, ink_dice& dice) {
  if (dice.chance(0.3)) {  // two rings
    const double join = dice.uniform(-0.1, 0.0), upper = 0.5 * (join + 0.5), lower = 0.5 * (0.5 - join);
    const double wide = dice.uniform(0.8, 1.1);
    const double shift = dice.normal(0.0, 0.02), sweep_up = dice.uniform(0.97, 1.05), sweep = dice.uniform(0.97, 1.05);
    pen.arc({shift, -0.5 + upper}, wide * upper, upper, 0.25, sweep_up, 1.0);
    pen.arc({-shift, 0.5 - lower}, wide * lower, lower, -0.25, sweep, 1.0);
    return;
  }
  pen.move_to(0.22, -0.36);
  pen.curve_through({{0.02, -0.49},
                     {-0.2, -0.34},
                     {-0.08, -0.1},
                     {0.17, 0.1},
                     {0.22, 0.34},
                     {-0.02, 0.49},
                     {-0.24, 0.33},
                     {-0.12, 0.08},
                     {0.12, -0.14},
                     {0.22, dice.uniform(-0.42, -0.3)}});
}

template <class Pen>
void draw_nine(Pen& pen, ink_dice& dice) {
  pen.move_to(0.2, -0.34);
  pen.curve_through({{0.02, -0.48}, {-0.2, -0.34}, {-0.18, -0.1}, {0.04, -0.06}, {0.22, dice.uniform(-0.36, -0.26)}});
  const double style = dice.uniform(0.0, 1.0);
  if (style < 0.45) {  // a straight tail
    pen.line_to(dice.uniform(0.06, 0.2), 0.5);
  } else if (style < 0.75) {  // a curved one
    pen.curve_through({{0.2, 0.04}, {0.1, 0.32}, {-0.04, 0.5}});
  } else {  // a hook
    pen.curve_through({{0.22, 0.1}, {0.14, 0.4}, {-0.04, 0.48}, {-0.22, 0.36}});
  }
}

template <class Pen>
void draw_digit(std::size_t digit, Pen& pen, ink_dice& dice) {
  using glyph = void (*)(Pen&, ink_dice&);
  static constexpr glyph glyphs[10] = {draw_zero, draw_one, draw_two,   draw_three, draw_four,
                                       draw_five, draw_six, draw_seven, draw_eight, draw_nine};
  glyphs[digit](pen, dice);
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
