#include "chart.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string_view>

#include <softscore/core/number_text.hpp>

namespace common {
namespace {

std::string spelled(std::string_view, const char* words) { return words; }
std::string spelled(std::string_view, std::size_t whole) { return std::to_string(whole); }
std::string spelled(std::string_view how, double number) {  // "g", ".1f"
  const int digits = how.starts_with('.') ? how[1] - '0' : 6;
  return how.back() == 'f' ? softscore::detail::fixed(number, digits) : softscore::detail::rounded(number, digits);
}

// printf's patterns, but the numbers in a picture have a decimal point in every locale.
template <class... Values>
std::string formatted(std::string_view pattern, const Values&... values) {
  std::string text;
  const auto add = [&](const auto& value) {
    const std::size_t at = pattern.find('%'), end = pattern.find_first_of("gfsu", at);
    text.append(pattern.substr(0, at)).append(spelled(pattern.substr(at + 1, end - at), value));
    pattern.remove_prefix(end + 1);
  };
  (add(values), ...);
  return text.append(pattern);
}

// A logarithmic axis from `low` to `high`, drawn from pixel `from` to pixel `to`.
struct log_axis {
  double low, high, from, to;

  double place(double value) const {
    const double part = (std::log(std::max(value, low)) - std::log(low)) / (std::log(high) - std::log(low));
    return from + part * (to - from);
  }
  // 1, 2, 5 of every decade if these are few, otherwise the decades.
  std::vector<double> ticks() const {
    std::vector<double> all;
    const bool dense = high / low < 120.0;
    for (double decade = std::pow(10.0, std::floor(std::log10(low))); decade <= high; decade *= 10.0)
      for (const double part : {1.0, 2.0, 5.0})
        if ((part == 1.0 || dense) && part * decade >= low && part * decade <= high) all.push_back(part * decade);
    return all;
  }
};

// At most `most` means of neighbors, as (step, loss).
std::vector<std::pair<double, double>> thinned(std::span<const float> losses, std::size_t most) {
  std::vector<std::pair<double, double>> points;
  const std::size_t width = std::max<std::size_t>(1, (losses.size() + most - 1) / most);
  for (std::size_t i = 0; i < losses.size(); i += width) {
    const std::size_t end = std::min(losses.size(), i + width);
    double sum = 0.0;
    for (std::size_t k = i; k < end; ++k) sum += static_cast<double>(losses[k]);
    points.emplace_back(0.5 * static_cast<double>(i + 1 + end), sum / static_cast<double>(end - i));
  }
  return points;
}

std::vector<std::pair<double, double>> smoothed(const std::vector<std::pair<double, double>>& points) {
  auto result = points;
  const double keep = 1.0 - 1.0 / std::max(1.0, static_cast<double>(points.size()) / 40.0);
  for (std::size_t i = 1; i < result.size(); ++i)
    result[i].second = keep * result[i - 1].second + (1.0 - keep) * points[i].second;
  return result;
}

}  // namespace

std::string short_number(double value) {
  const double size = std::abs(value);
  return formatted(size >= 100.0  ? "%.0f"
                   : size >= 10.0 ? "%.1f"
                   : size >= 1.0  ? "%.2f"
                   : size >= 0.1  ? "%.3f"
                                  : "%.3g",
                   value);
}

std::string loss_chart(std::span<const float> losses, std::span<const double> test_losses,
                       std::size_t steps_per_epoch) {
  constexpr double wide = 860.0, high = 340.0, left = 58.0, right = 30.0, top = 14.0, bottom = 36.0;
  const auto points = thinned(losses, 700);
  if (points.empty()) return {};
  double low = points[0].second, most = low;
  for (const auto& [step, loss] : points) low = std::min(low, loss), most = std::max(most, loss);
  for (const double loss : test_losses) low = std::min(low, loss), most = std::max(most, loss);
  if (!(low > 0.0)) low = most > 0.0 ? 1e-6 * most : 1.0;
  const log_axis y{low / 1.15, std::max(most, low * 1.01) * 1.15, high - bottom, top};
  const auto steps = static_cast<double>(std::max<std::size_t>(losses.size(), 2));
  const auto x = [&](double step) { return left + (wide - left - right) * (step - 1.0) / (steps - 1.0); };

  std::string svg =
      formatted("<svg class=\"chart\" viewBox=\"0 0 %g %g\" role=\"img\" aria-label=\"Loss over steps\">", wide, high);
  for (const double tick : y.ticks()) {
    const double at = y.place(tick);
    svg += formatted("<line class=\"grid\" x1=\"%g\" x2=\"%g\" y1=\"%.1f\" y2=\"%.1f\"/>", left, wide - right, at, at);
    svg +=
        formatted("<text class=\"tick\" x=\"%g\" y=\"%.1f\" text-anchor=\"end\">%g</text>", left - 8.0, at + 4.0, tick);
  }
  // At most eight marks below, at multiples of 1, 2 or 5 times a power of ten.
  double stride = 1.0;
  for (int k = 0; steps / stride > 8.0; ++k) stride *= k % 3 == 1 ? 2.5 : 2.0;
  for (double step = stride; step <= steps; step += stride)
    svg += formatted("<text class=\"tick\" x=\"%.1f\" y=\"%g\" text-anchor=\"middle\">%g</text>", x(step),
                     high - bottom + 18.0, step);
  svg += formatted("<text class=\"tick\" x=\"%g\" y=\"%g\" text-anchor=\"end\">step</text>", wide - right, high - 2.0);

  const auto line = [&](const char* kind, const std::vector<std::pair<double, double>>& along) {
    svg += std::string{"<polyline class=\""} + kind + "\" points=\"";
    for (const auto& [step, loss] : along) svg += formatted("%.1f,%.1f ", x(step), y.place(loss));
    svg += "\"/>";
  };
  line("raw", points);
  line("train", smoothed(points));
  std::vector<std::pair<double, double>> tests;
  for (std::size_t e = 0; e < test_losses.size(); ++e)
    tests.emplace_back(static_cast<double>((e + 1) * steps_per_epoch), test_losses[e]);
  line("test", tests);
  for (const auto& [step, loss] : tests)
    svg += formatted("<circle class=\"test\" cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\"/>", x(step), y.place(loss));
  return svg + "</svg>";
}

std::string number_line(const std::vector<std::pair<std::string, double>>& numbers) {
  constexpr double wide = 860.0, left = 16.0, right = 16.0, row = 38.0;
  double low = 1e300, most = 0.0;
  for (const auto& [name, value] : numbers) low = std::min(low, value), most = std::max(most, value);
  if (!(low > 0.0)) low = most > 0.0 ? 1e-4 * most : 1.0;
  const log_axis x{low / 1.6, std::max(most, low * 1.01) * 1.6, left, wide - right};
  const double high = row * static_cast<double>(numbers.size()) + 30.0;
  std::string svg =
      formatted("<svg class=\"chart\" viewBox=\"0 0 %g %g\" role=\"img\" aria-label=\"Distances\">", wide, high);
  for (const double tick : x.ticks()) {
    const double at = x.place(tick);
    svg += formatted("<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"0\" y2=\"%g\"/>", at, at, high - 22.0);
    svg += formatted("<text class=\"tick\" x=\"%.1f\" y=\"%g\" text-anchor=\"middle\">%g</text>", at, high - 6.0, tick);
  }
  double y = 0.5 * row;
  for (std::size_t i = 0; i < numbers.size(); ++i, y += row) {
    const auto& [name, value] = numbers[i];
    const double at = x.place(value);
    const bool before = at > 0.55 * wide;  // the text goes where there is room
    svg += formatted("<line class=\"stem\" x1=\"%g\" x2=\"%.1f\" y1=\"%g\" y2=\"%g\"/>", left, at, y, y);
    svg += formatted("<circle class=\"mark mark%zu\" cx=\"%.1f\" cy=\"%g\" r=\"7\"/>", i, at, y);
    svg += formatted("<text class=\"name\" x=\"%.1f\" y=\"%g\" text-anchor=\"%s\">", before ? at - 14.0 : at + 14.0,
                     y + 5.0, before ? "end" : "start") +
           name + " <tspan class=\"value\">" + short_number(value) + "</tspan></text>";
  }
  return svg + "</svg>";
}

}  // namespace common
