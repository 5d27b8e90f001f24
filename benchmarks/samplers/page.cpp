#include "page.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <string>

#include <softscore/io/atomic_file.hpp>
#include <softscore/io/png.hpp>
#include <softscore/io/tiled.hpp>

namespace contest {
namespace {

template <class... Values>
std::string formatted(const char* format, Values... values) {
  char text[256];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

// The entries of each sampler, best last budget first.
std::vector<std::vector<const entry*>> by_sampler(const recipe_results& r) {
  std::map<std::string, std::vector<const entry*>> of;
  for (const auto& e : r.entries) of[e.sampler].push_back(&e);
  std::vector<std::vector<const entry*>> lines;
  for (auto& [name, line] : of) {
    std::sort(line.begin(), line.end(), [](const entry* a, const entry* b) { return a->nfe < b->nfe; });
    lines.push_back(std::move(line));
  }
  std::sort(lines.begin(), lines.end(),
            [](const auto& a, const auto& b) { return a.back()->frechet < b.back()->frechet; });
  return lines;
}

// Frechet distance against evaluations, both logarithmic, each line named at its end; the controls are dashed.
std::string quality_chart(const recipe_results& r) {
  constexpr double width = 860, height = 470, left = 60, right = 210, top = 24, bottom = 44;
  static const char* const colors[] = {"#0b6e99", "#d9730d", "#4d8b31", "#ad1a72", "#6940a5", "#b5462f",
                                       "#2f8f83", "#8a6d1d", "#5b6b8c", "#a1527f", "#3c7a3f", "#7a5230"};
  double least = r.held_out, most = r.noise;
  std::size_t first = 1000000, last = 1;
  for (const auto& e : r.entries) {
    if (std::isfinite(e.frechet)) least = std::min(least, e.frechet);
    first = std::min(first, e.nfe), last = std::max(last, e.nfe);
  }
  const auto across = [&](double nfe) {
    const double low = std::log(static_cast<double>(first)),
                 high = std::log(static_cast<double>(std::max(last, first + 1)));
    return left + (std::log(nfe) - low) / (high - low) * (width - left - right);
  };
  const auto down = [&](double d) {
    const double low = std::log(0.8 * least), high = std::log(1.3 * most);
    return top + (1.0 - (std::clamp(std::log(d), low, high) - low) / (high - low)) * (height - top - bottom);
  };
  std::string svg =
      formatted("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" ", width, height) +
      "font-family=\"sans-serif\" font-size=\"12\"><rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>";
  for (const double d : {1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0}) {
    if (d < 0.8 * least || d > 1.3 * most) continue;
    svg += formatted("<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#e4e4e4\"/>", left, width - right,
                     down(d), down(d)) +
           formatted("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\" fill=\"#555555\">%g</text>", left - 8,
                     down(d) + 4, d);
  }
  std::vector<std::size_t> marks;
  for (const auto& e : r.entries)
    if (std::find(marks.begin(), marks.end(), e.budget) == marks.end()) marks.push_back(e.budget);
  for (const std::size_t nfe : marks)
    svg += formatted("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\" fill=\"#555555\">%zu</text>",
                     across(static_cast<double>(nfe)), height - bottom + 18, nfe);
  svg += formatted(
      "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\" fill=\"#555555\">network evaluations per image</text>",
      (left + width - right) / 2, height - 8);
  for (const auto& [value, name] : {std::pair{r.held_out, "held-out images"}, std::pair{r.noise, "noise"}})
    svg +=
        formatted("<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#333333\" stroke-dasharray=\"5 4\"/>",
                  left, width - right, down(value), down(value)) +
        formatted("<text x=\"%.1f\" y=\"%.1f\" fill=\"#333333\">%s %.3g</text>", left + 6, down(value) - 5, name,
                  value);

  const auto lines = by_sampler(r);
  // Names at the right edge must not cover each other: they are pushed down from the best to the worst.
  std::vector<std::pair<double, std::size_t>> ends;
  for (std::size_t i = 0; i < lines.size(); ++i) ends.emplace_back(down(lines[i].back()->frechet), i);
  std::sort(ends.begin(), ends.end());
  double free = top;
  std::vector<double> label(lines.size());
  for (const auto& [y, i] : ends) {
    label[i] = std::max(y + 4, free);
    free = label[i] + 14;
  }
  const double over = free - 14 - (height - 6);
  if (over > 0)
    for (double& y : label) y -= over;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const char* const color = colors[i % std::size(colors)];
    std::string points;
    for (const entry* e : lines[i])
      if (std::isfinite(e->frechet))
        points += formatted("%.1f,%.1f ", across(static_cast<double>(e->nfe)), down(e->frechet));
    svg +=
        "<polyline fill=\"none\" stroke-width=\"2\" stroke=\"" + std::string{color} + "\" points=\"" + points + "\"/>";
    svg += formatted("<text x=\"%.1f\" y=\"%.1f\" fill=\"%s\">", width - right + 10, label[i], color) +
           lines[i].back()->sampler + formatted(" %.3g</text>", lines[i].back()->frechet);
  }
  return svg + "</svg>\n";
}

// One row of images per sampler, with the budget nearest to `shown_at`, in the order of the table.
softscore::image_batch rows_of(const std::vector<std::vector<const entry*>>& lines, std::size_t shown_at) {
  std::vector<const entry*> chosen;
  for (const auto& line : lines)
    chosen.push_back(*std::min_element(line.begin(), line.end(), [&](const entry* a, const entry* b) {
      const auto off = [&](const entry* e) {
        return e->budget > shown_at ? e->budget - shown_at : shown_at - e->budget;
      };
      return off(a) < off(b);
    }));
  const softscore::shape row = softscore::extent_of(chosen.front()->shown);
  auto all = softscore::make_tensor(row.with_images(row.images * chosen.size()));
  for (std::size_t i = 0; i < chosen.size(); ++i)
    std::copy(chosen[i]->shown.begin(), chosen[i]->shown.end(),
              all.begin() + static_cast<std::ptrdiff_t>(i * row.size()));
  return all;
}

}  // namespace

void write_page(const std::filesystem::path& folder, const std::vector<recipe_results>& all, std::size_t shown_at) {
  std::filesystem::create_directories(folder);
  std::string csv = "recipe,sampler,order,evaluations,steps,milliseconds_per_step,frechet\n", page;
  for (const auto& r : all) {
    const auto lines = by_sampler(r);
    softscore::write_file(folder / (r.recipe + ".svg"), quality_chart(r));
    const auto rows = rows_of(lines, shown_at);
    softscore::write_png(folder / (r.recipe + ".png"), softscore::tiled(rows, lines.front().front()->shown.shape(0)));
    page += "## " + r.recipe + "\n\n" +
            formatted("%zu images; held-out images %.2f, uniform noise %.2f.\n\n", r.images, r.held_out, r.noise) +
            "![distance against evaluations](" + r.recipe + ".svg)\n\n| sampler | order |";
    std::vector<std::size_t> budgets;
    for (const auto& e : r.entries)
      if (std::find(budgets.begin(), budgets.end(), e.budget) == budgets.end()) budgets.push_back(e.budget);
    std::sort(budgets.begin(), budgets.end());
    for (const std::size_t b : budgets) page += formatted(" %zu |", b);
    page += " ms a step |\n|---|---|";
    for (std::size_t i = 0; i <= budgets.size(); ++i) page += "---|";
    page += "\n";
    for (const auto& line : lines) {
      page += "| " + line.front()->sampler + formatted(" | %d |", line.front()->order);
      double fastest = line.front()->milliseconds_per_step;
      for (const std::size_t b : budgets) {
        const auto at = std::find_if(line.begin(), line.end(), [&](const entry* e) { return e->budget == b; });
        if (at == line.end()) {
          page += " - |";
          continue;
        }
        const entry& e = **at;
        page += e.nfe <= b ? formatted(" %.2f |", e.frechet) : formatted(" %.2f (%zu) |", e.frechet, e.nfe);
        fastest = std::min(fastest, e.milliseconds_per_step);
        csv += r.recipe + "," + e.sampler +
               formatted(",%d,%zu,%zu,%.4f,%.6g\n", e.order, e.nfe, e.steps, e.milliseconds_per_step, e.frechet);
      }
      page += formatted(" %.2f |\n", fastest);
    }
    page += "\nRows as in the table:\n\n![samples](" + r.recipe + ".png)\n\n";
  }
  softscore::write_file(folder / "results.csv", csv);
  softscore::write_file(folder / "page.md", page);
}

}  // namespace contest
