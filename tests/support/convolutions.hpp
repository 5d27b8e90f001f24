#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include <softscore/backend/conv2d_shape.hpp>
#include <softscore/core/view.hpp>

#include "catch.hpp"
#include "slope.hpp"
#include "worse.hpp"

// Convolutions on any backend, with everything in plain order and double.

/// Inputs and output gradient of a convolution.
struct convolution_case {
  softscore::conv2d_shape s;
  std::vector<double> x, weight, bias, dy;

  explicit convolution_case(const softscore::conv2d_shape& sizes)
      : s{sizes},
        x{normal_numbers(s.input(s.images).size(), 1)},
        weight{normal_numbers(s.weight().size(), 2)},
        bias{normal_numbers(s.out_channels, 3)},
        dy{normal_numbers(s.output(s.images).size(), 4)} {}

  /// The first image alone.
  convolution_case first() const {
    convolution_case one = *this;
    one.s.images = 1;
    one.x.resize(s.input(1).size());
    one.dy.resize(s.output(1).size());
    return one;
  }
  /// The magnitudes of all numbers: what this convolves to bounds the sums of the magnitudes of products.
  convolution_case magnitudes() const {
    convolution_case of = *this;
    for (std::vector<double>* each : {&of.x, &of.weight, &of.bias, &of.dy})
      for (double& v : *each) v = std::abs(v);
    return of;
  }
};

struct convolution_result {
  std::vector<double> y, dx, dweight, dbias;
  friend bool operator==(const convolution_result&, const convolution_result&) = default;
};

/// What is wanted of a convolution besides y, dx and dweight; with an addend, dy is added to y.
struct convolution_extras {
  bool bias = true, dbias = true, addend = false;
  std::size_t forward_passes = 1;
};

/// Runs a plan forward and backward.
template <class T, class Be, class Plan>
convolution_result convolve(Be& be, const convolution_case& c, Plan plan, const convolution_extras& with = {}) {
  using namespace softscore;
  const shape in = c.s.input(c.s.images), out = c.s.output(c.s.images), per_channel{1, c.s.out_channels, 1, 1};
  const auto holding = [&](const std::vector<double>& values, const shape& s) {
    auto array = be.template make<T>(s);
    const std::vector<T> converted(values.begin(), values.end());
    be.upload(converted.data(), array.view());
    return array;
  };
  const auto activation = [&](const std::vector<double>& values, const shape& s) {
    auto plain = holding(values, s);
    auto packed = be.template make<T>(s);
    pack(be, plain.view(), packed.view());
    return packed;
  };
  const auto values_of = [&](auto& array) {
    std::vector<T> host(array.extent().size());
    be.download(array.view(), host.data());
    return std::vector<double>(host.begin(), host.end());
  };
  const auto activation_values = [&](auto& packed) {
    auto plain = be.template make<T>(packed.extent());
    unpack(be, packed.view(), plain.view());
    return values_of(plain);
  };
  auto x = activation(c.x, in), dy = activation(c.dy, out);
  auto weight = holding(c.weight, c.s.weight()), bias = holding(c.bias, per_channel);
  auto y = be.template make<T>(out), dx = be.template make<T>(in);
  auto dweight = be.template make<T>(c.s.weight()), dbias = be.template make<T>(per_channel);
  using wanted = decltype(dbias.view());
  using given = decltype(bias.view());
  conv2d_prepare(be, plan, weight.view());
  for (std::size_t pass = 0; pass < with.forward_passes; ++pass)
    conv2d_forward(be, plan, x.view(), weight.view(), with.bias ? bias.view() : given{}, y.view(),
                   with.addend ? dy.view() : given{});
  conv2d_backward(be, plan, x.view(), weight.view(), dy.view(), dx.view(), dweight.view(),
                  with.dbias ? dbias.view() : wanted{});
  return {activation_values(y), activation_values(dx), values_of(dweight),
          with.dbias ? values_of(dbias) : std::vector<double>{}};
}

/// Plans for `most_images` and runs the plan.
template <class T, class Be>
convolution_result plan_and_convolve(Be& be, const convolution_case& c, std::size_t most_images) {
  using namespace softscore;
  conv2d_shape planned = c.s;
  planned.images = most_images;
  return convolve<T>(be, c, make_conv2d<T>(be, planned));
}

/// Single results by their definition, a sum over what an output's window, an input, a weight or a bias meets.
struct convolution_definition {
  const convolution_case& c;

  double x(std::size_t n, std::size_t i, std::size_t padded_row, std::size_t padded_column) const {
    const auto [top, left, bottom, right] = c.s.border();
    const bool inside =
        padded_row >= top && padded_row < top + c.s.height && padded_column >= left && padded_column < left + c.s.width;
    if (!inside) return 0;
    return c.x[((n * c.s.in_channels + i) * c.s.height + padded_row - top) * c.s.width + padded_column - left];
  }
  double dy(std::size_t n, std::size_t o, std::size_t row, std::size_t column) const {
    return c.dy[((n * c.s.out_channels + o) * c.s.out_height() + row) * c.s.out_width() + column];
  }
  double weight(std::size_t o, std::size_t i, std::size_t a, std::size_t b) const {
    return c.weight[((o * c.s.in_channels + i) * c.s.kernel.height + a) * c.s.kernel.width + b];
  }

  double y(std::size_t index) const {
    const std::size_t width = c.s.out_width(), height = c.s.out_height(), column = index % width,
                      row = index / width % height, o = index / width / height % c.s.out_channels,
                      n = index / width / height / c.s.out_channels;
    double sum = c.bias[o];
    for (std::size_t i = 0; i < c.s.in_channels; ++i)
      for (std::size_t a = 0; a < c.s.kernel.height; ++a)
        for (std::size_t b = 0; b < c.s.kernel.width; ++b)
          sum += weight(o, i, a, b) * x(n, i, row * c.s.stride + a, column * c.s.stride + b);
    return sum;
  }
  double dx(std::size_t index) const {
    const std::size_t width = c.s.width, height = c.s.height, column = index % width, row = index / width % height,
                      i = index / width / height % c.s.in_channels, n = index / width / height / c.s.in_channels;
    double sum = 0;
    for (std::size_t o = 0; o < c.s.out_channels; ++o)
      for (std::size_t r = 0; r < c.s.out_height(); ++r)
        for (std::size_t a = 0; a < c.s.kernel.height; ++a) {
          if (r * c.s.stride + a != row + c.s.border().top) continue;
          for (std::size_t q = 0; q < c.s.out_width(); ++q)
            for (std::size_t b = 0; b < c.s.kernel.width; ++b)
              if (q * c.s.stride + b == column + c.s.border().left) sum += weight(o, i, a, b) * dy(n, o, r, q);
        }
    return sum;
  }
  double dweight(std::size_t index) const {
    const std::size_t b = index % c.s.kernel.width, a = index / c.s.kernel.width % c.s.kernel.height,
                      i = index / c.s.kernel.taps() % c.s.in_channels, o = index / c.s.fan_in();
    double sum = 0;
    for (std::size_t n = 0; n < c.s.images; ++n)
      for (std::size_t r = 0; r < c.s.out_height(); ++r)
        for (std::size_t q = 0; q < c.s.out_width(); ++q)
          sum += dy(n, o, r, q) * x(n, i, r * c.s.stride + a, q * c.s.stride + b);
    return sum;
  }
  double dbias(std::size_t o) const {
    double sum = 0;
    for (std::size_t n = 0; n < c.s.images; ++n)
      for (std::size_t r = 0; r < c.s.out_height(); ++r)
        for (std::size_t q = 0; q < c.s.out_width(); ++q) sum += dy(n, o, r, q);
    return sum;
  }

  /// Checks every `step`-th of the results, to `tolerance`.
  void check(const convolution_result& result, std::size_t step, double tolerance) const {
    const auto each = [&](const std::vector<double>& values, auto at) {
      double most = 0;
      for (std::size_t k = 0; k < values.size(); k += step) most = worse(most, std::abs(values[k] - at(k)));
      CHECK(most < tolerance);
    };
    REQUIRE(result.y.size() == c.dy.size());
    REQUIRE(result.dx.size() == c.x.size());
    each(result.y, [&](std::size_t k) { return y(k); });
    each(result.dx, [&](std::size_t k) { return dx(k); });
    each(result.dweight, [&](std::size_t k) { return dweight(k); });
    each(result.dbias, [&](std::size_t k) { return dbias(k); });
  }
};

/// The sizes, for messages.
inline std::string text_of(const softscore::conv2d_shape& s) {
  const auto [top, left, bottom, right] = s.border();
  std::string text;
  for (const std::size_t n : {s.images, s.in_channels, s.out_channels, s.height, s.width, s.kernel.height,
                              s.kernel.width, s.stride, top, left, bottom, right})
    text += (text.empty() ? "" : " ") + std::to_string(n);
  return text;
}

/// The largest |a - b|, as a multiple of `scale`.
inline double distance(const std::vector<double>& a, const std::vector<double>& b, double scale) {
  REQUIRE(a.size() == b.size());
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = worse(most, std::abs(a[i] - b[i]));
  return most / scale;
}
/// The largest |a - b| as a multiple of `scales`, each its own.
inline double distance(const std::vector<double>& a, const std::vector<double>& b, const std::vector<double>& scales) {
  REQUIRE(a.size() == b.size());
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    // Where there is nothing to add, the sums are equal.
    const double d = a[i] == b[i] ? 0 : std::abs(a[i] - b[i]) / scales[i];
    most = worse(most, d);
  }
  return most;
}

/// Sizes that no 'same' convolution with a square kernel has, few enough pixels for every definition.
inline const std::vector<softscore::conv2d_shape>& odd_convolutions() {
  using all = softscore::conv2d_padding;
  // images, in, out, height, width, kernel, stride, padding (top, left, bottom, right)
  static const std::vector<softscore::conv2d_shape> sizes{// Rows, columns and other rectangles, 'same' and not.
                                                          {2, 2, 3, 6, 9, {1, 7}},
                                                          {2, 3, 2, 9, 6, {7, 1}},
                                                          {1, 2, 2, 5, 4, {3, 5}, 2},
                                                          {2, 2, 3, 6, 9, {1, 7}, 1, all::all(0)},
                                                          {1, 2, 2, 7, 5, {5, 2}, 1, {1, 0, 3, 1}},
                                                          // The two ways to halve a plane, of even and odd sides.
                                                          {2, 3, 2, 8, 6, 3, 2, all::all(1)},
                                                          {2, 3, 2, 8, 6, 3, 2, {0, 0, 1, 1}},
                                                          {2, 2, 3, 7, 5, 3, 2, all::all(1)},
                                                          {2, 2, 3, 7, 5, 3, 2, {0, 0, 1, 1}},
                                                          // Patches, and other even kernels.
                                                          {2, 3, 4, 8, 12, 4, 4, all::all(0)},
                                                          {2, 2, 3, 5, 6, 2, 2, all::all(0)},
                                                          {1, 3, 2, 6, 5, 4, 2, all::all(1)},
                                                          {2, 1, 2, 5, 7, 2, 1, {0, 1, 1, 0}},
                                                          // Kernels as large as the padded input.
                                                          {3, 2, 3, 5, 4, {5, 4}, 1, all::all(0)},
                                                          {2, 1, 2, 3, 4, {5, 7}, 3, {1, 2, 1, 1}},
                                                          {2, 2, 2, 1, 1, 2, 1, {1, 0, 0, 1}},
                                                          // More padding than kernel: outputs that meet nothing.
                                                          {2, 2, 3, 4, 3, 1, 1, {3, 1, 0, 2}},
                                                          {1, 2, 2, 3, 2, 2, 2, {2, 5, 4, 3}},
                                                          {1, 2, 2, 1, 1, 2, 2, {2, 2, 0, 0}},
                                                          {1, 1, 2, 2, 3, 3, 3, {7, 0, 0, 8}},
                                                          // Strides past the kernel and past everything.
                                                          {2, 2, 2, 9, 8, {2, 1}, 5, {0, 3, 0, 0}},
                                                          {1, 2, 3, 3, 4, {2, 3}, 1000000, {0, 1, 2, 0}},
                                                          // A batch that is summed in several slots.
                                                          {35, 2, 3, 4, 5, 3, 2, {0, 0, 1, 1}}};
  return sizes;
}
