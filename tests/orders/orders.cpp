// Writes docs/reference/sampler-orders.md and docs/images/sampler-orders.svg: ./dev orders.
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "order_table.hpp"

namespace {

std::string number(const char* format, double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), format, value);
  return text.data();
}

bool holds(const order_row& row) { return row.stated == 0 || std::abs(row.order() - row.stated) <= 0.1 * row.stated; }

void write_end(std::ostream& out, const std::vector<order_row>& rows) {
  out << R"(
## Down to time 0

In the step that ends at time 0 every sampler returns h = E[x_0 given x_t], so its distribution lacks Cov(x_0 given x_t), where
t is the last time but one. Under VP this is of the size of sigma_t^2, which falls in proportion to t, so no method's order is
above 1 there. The cosine's sigma^2 falls with t too, but slowly, because its offset is small. VE keeps sigma(0) = 0.1 and
therefore an error at any number of steps. The other choice is to end above 0 and to draw from the distribution of x_t
([why](../decisions/0006-the-last-step.md)). These rows are for noise alone; the first row of each schedule is what h lacks.

| schedule | sampler | error after as many steps | | | |
|---|---|---|---|---|---|
)";
  for (const order_row& row : rows) {
    out << "| " << row.schedule << " | `" << row.sampler << '`';
    for (const auto& p : row.fine) out << " | " << p.steps << ": " << number("%.2e", p.error);
    out << " |\n";
  }
}

// What tends to another distribution: its errors beside the marginals, or its order and errors beside its limit.
void write_others(std::ostream& out, const std::vector<order_row>& rows, const std::string& place) {
  bool first = true;
  for (const order_row& row : rows) {
    if (row.schedule + ", " + row.family != place || row.reason.empty()) continue;
    const bool has_order = row.stated > 0;
    if (first)
      out << (has_order ? "\nWhat tends to another distribution, with its order and its errors beside that one:\n\n"
                          "| sampler | stated | measured | error after as many steps | | | | limit | reason |\n"
                          "|---|---|---|---|---|---|---|---|---|\n"
                        : "\nWhat tends to another distribution:\n\n"
                          "| sampler | error after as many steps | | | | limit | reason |\n"
                          "|---|---|---|---|---|---|---|\n");
    first = false;
    out << "| `" << row.sampler << '`';
    if (has_order) out << " | " << row.stated << " | " << number("%.2f", row.order());
    for (const auto& p : row.fine) out << " | " << p.steps << ": " << number(has_order ? "%.2e" : "%.3f", p.error);
    out << " | " << number("%.3f", row.limit) << " | " << row.reason << " |\n";
  }
}

// A section for each corruption: what keeps the marginals with its order, and the rest with its limit.
void write_places(std::ostream& out, const std::vector<order_row>& rows, const std::string& heading) {
  std::vector<std::string> places;
  for (const order_row& row : rows) {
    const std::string place = row.schedule + ", " + row.family;
    if (std::find(places.begin(), places.end(), place) == places.end()) places.push_back(place);
  }
  for (const std::string& place : places) {
    out << '\n' << heading << place << '\n';
    bool any = false, other = false;
    for (const order_row& row : rows) {
      if (row.schedule + ", " + row.family != place) continue;
      if (!row.reason.empty()) {
        other = true;
        continue;
      }
      if (!any)
        out << "\n| sampler | stated | measured | error after as many steps | | | |\n|---|---|---|---|---|---|---|\n";
      any = true;
      out << "| `" << row.sampler << "` | " << row.stated << " | " << number("%.2f", row.order());
      for (const auto& p : row.fine) out << " | " << p.steps << ": " << number("%.2e", p.error);
      out << " |\n";
    }
    if (!other) continue;
    write_others(out, rows, place);
  }
}

void write_mixtures(std::ostream& out, const std::vector<order_row>& rows) {
  out << R"(
## Where the estimate is not linear

The same samplers on mixtures of two normal distributions of unlike weight and width, whose exact estimate is not linear in
x_t ([the code](../../tests/orders/mixture_table.cpp)). A wrong condition that cancels for a linear estimate would show here.
Identity is a mixture of one pixel. Blur is a blur of two pixels. Its paths run on a mixture in the plane whose covariances
do not commute with the blur. Its chains run on a mixture in the difference of the two pixels, which a blur keeps apart
from their sum.

- Samplers without noise: "error" is the largest distance between the ends of nine paths and the ends by the classical
  Runge-Kutta method in 16,384 steps.
- Samplers with noise and without memory, `edm_heun` with churn included: mean, variance and fourth moment of what they
  draw, by quadrature of their transition kernel. The shipped step maps every node of a grid in x with every node of a
  Gauss-Hermite rule in z, so that there is no sampling error. "Error" is the largest of the three beside the closed form.
- Samplers with noise and with memory, `dpm_solver_pp_2m_sde` and `dpm_solver_pp_3m_sde`: paths with their noise set to 0,
  beside the reverse SDE without its noise, from time 0.3. From time 1 the third power hides the second one, which comes
  from the start of `dpm_solver_pp_3m_sde`.
- Those that do not keep the marginals: moments beside the distribution that their last step leaves alone, which an
  integral equation on the line gives, from time 0.33 to time 0.3, where they forget soon where they come from. `cold`:
  paths beside those of x' = C' h. "Limit" is what the moments of their limit miss of the marginal's.

Every sampler of the tables above is here. Not here are: `cold` under VE without an operator, where C_t stands still and
so does x; the fade, which on one pixel is a number times the image; and the mask, under which no sampler has an order.
`mala` and the signal-to-noise rule have no order either: `mala` draws from one level, and the rule divides by the length
of the score, which is 0 somewhere on a line. They are tested by fixed noise
([tests/unit/sampler/langevin_test.cpp](../../tests/unit/sampler/langevin_test.cpp)).
)";
  write_places(out, rows, "### On mixtures: ");
}

void write_page(std::ostream& out, const std::vector<order_row>& rows, const std::vector<order_row>& ends,
                const std::vector<order_row>& mixtures) {
  out << R"(# Orders of the samplers

Written by `./dev orders`, which also fails if an order deviates; [the same code](../../tests/orders/order_table.cpp)
runs on part of the table in the tests.

From time 1 to time 0.05, where noise is left, each sampler runs on Gaussian data of six pixels with the exact denoiser.
Mean and covariance are propagated through its own steps: the map of the shipped code from the image and from every
number that it draws is measured, so that there is no sampling error. "Error" is the largest of mean and covariance
beside the closed form, after as many steps of a uniform grid. "Order" is the slope by least squares; it must lie within a
tenth of the stated one. The numbers of steps are those where the highest power decides: a high order meets rounding
soon, and shows late under a blur, whose kernel sets in at a third of a pixel with large derivatives.

Corruptions: VE has sigma from 0.1 to 2 (0.2 to 0.8 under blur and fade), VP a rate from 1 to 6, and cosine ends at 0.85 of
its time. Identity means noise alone (under VP and cosine C_t = a_t I). Blur and fade are added to the noise; for
`exponential_integrator` the blur is by DCT, whose modes it knows. Where a distribution other than the marginal is worked out, the
limit is its error: for `naive`, `soft_ddim` and Langevin steps. For `cold` and the mask it is the error that stays
([tests/unit/sampler/limit_test.cpp](../../tests/unit/sampler/limit_test.cpp) has their distributions). `dormand_prince` runs without its control of the error, one part a step; with it, its error follows the tolerance
([tests/unit/sampler/ode_test.cpp](../../tests/unit/sampler/ode_test.cpp)). `mala` and the signal-to-noise rule are not
linear; they are tested by fixed noise ([tests/unit/sampler/langevin_test.cpp](../../tests/unit/sampler/langevin_test.cpp)).

![error against evaluations](../images/sampler-orders.svg)
)";
  write_places(out, rows, "## ");
  write_end(out, ends);
  write_mixtures(out, mixtures);
  out << "\nNext: [samplers](samplers.md).\n";
}

// Straight lines on logarithmic axes, one panel for each corruption; the color tells the stated order.
class plot {
 public:
  explicit plot(std::ostream& out) : out_{out} {
    out_ << "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " << width << ' ' << height
         << "\" font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n";
    double x = 60;
    for (int order = 0; order <= 5; ++order) {
      out_ << "<line x1=\"" << x << "\" x2=\"" << x + 24 << "\" y1=\"16\" y2=\"16\" stroke=\"" << color(order)
           << "\" stroke-width=\"2\"/><text x=\"" << x + 30 << "\" y=\"20\">"
           << (order == 0 ? std::string{"another distribution"} : "order " + std::to_string(order)) << "</text>\n";
      x += 130;
    }
  }
  ~plot() { out_ << "</svg>\n"; }
  plot(const plot&) = delete;
  plot& operator=(const plot&) = delete;

  void panel(int column, int row, const std::string& title, const std::vector<const order_row*>& rows) {
    left_ = 50 + column * (side + 30);
    top_ = 50 + row * (side + 40);
    out_ << "<text x=\"" << left_ << "\" y=\"" << top_ - 6 << "\" font-weight=\"bold\">" << title
         << "</text>\n<rect x=\"" << left_ << "\" y=\"" << top_ << "\" width=\"" << side << "\" height=\"" << side
         << "\" fill=\"none\" stroke=\"#999\"/>\n";
    for (int power = -10; power <= 0; power += 2)
      out_ << "<line x1=\"" << left_ << "\" x2=\"" << left_ + side << "\" y1=\"" << y(std::pow(10, power)) << "\" y2=\""
           << y(std::pow(10, power)) << "\" stroke=\"#eee\"/><text x=\"" << left_ - 4 << "\" y=\""
           << y(std::pow(10, power)) + 4 << "\" text-anchor=\"end\">1e" << power << "</text>\n";
    for (const int nfe : {10, 100, 1000})
      out_ << "<line x1=\"" << x(nfe) << "\" x2=\"" << x(nfe) << "\" y1=\"" << top_ << "\" y2=\"" << top_ + side
           << "\" stroke=\"#eee\"/><text x=\"" << x(nfe) << "\" y=\"" << top_ + side + 14
           << "\" text-anchor=\"middle\">" << nfe << "</text>\n";
    for (const order_row* each : rows) line(*each);
  }

 private:
  static constexpr double side = 300, width = 1050, height = 1090, least = 1e-11, most = 10;

  static const char* color(int order) {
    static const std::array<const char*, 6> colors{"#aaaaaa", "#1f77b4", "#2ca02c", "#ff7f0e", "#d62728", "#9467bd"};
    return colors.at(static_cast<std::size_t>(order));
  }
  double x(double nfe) const { return left_ + side * (std::log10(nfe) - 0.6) / 2.7; }
  double y(double error) const {
    const double kept = std::clamp(error, least, most);
    return top_ + side * std::log(most / kept) / std::log(most / least);
  }
  void line(const order_row& row) {
    out_ << "<polyline fill=\"none\" stroke=\"" << color(row.stated) << "\" stroke-width=\"1.3\" points=\"";
    for (const auto& p : row.coarse)
      if (p.error > least && p.error < most)
        out_ << number("%.1f", x(static_cast<double>(p.nfe))) << ',' << number("%.1f", y(p.error)) << ' ';
    std::string name = row.sampler;
    for (std::size_t at = 0; (at = name.find('<', at)) != std::string::npos;) name.replace(at, 1, "&lt;");
    for (std::size_t at = 0; (at = name.find('>', at)) != std::string::npos;) name.replace(at, 1, "&gt;");
    out_ << "\"><title>" << name << "</title></polyline>\n";
  }

  std::ostream& out_;
  double left_{}, top_{};
};

void write_plot(std::ostream& out, const std::vector<order_row>& rows) {
  plot picture{out};
  int row = 0;
  for (const char* schedule : {"VE", "VP", "cosine"}) {
    int column = 0;
    for (const char* family : {"identity", "blur", "fade"}) {
      std::vector<const order_row*> chosen;
      for (const order_row& each : rows)
        if (each.schedule == schedule && each.family == family) chosen.push_back(&each);
      picture.panel(column++, row, std::string{schedule} + ", " + family + ": error against evaluations", chosen);
    }
    ++row;
  }
}

// Says every two seconds how far the tables are.
class progress {
 public:
  void operator()(const order_row& row) {
    ++rows_;
    const auto now = clock::now();
    if (now - last_ < std::chrono::seconds{2}) return;
    last_ = now;
    std::cerr << "orders: " << rows_ << " rows measured, the last is " << row.sampler << " under " << row.schedule
              << ", " << row.family << '\n';
  }

 private:
  using clock = std::chrono::steady_clock;
  std::size_t rows_{};
  clock::time_point last_{clock::now()};
};

// Prints a line for the table and one for each row that is off; returns how many are.
int print(const char* data, const std::vector<order_row>& rows) {
  int wrong = 0;
  for (const order_row& row : rows) {
    if (holds(row)) continue;
    ++wrong;
    std::cerr << row.sampler << " on " << data << " under " << row.schedule << ", " << row.family << ": order "
              << row.order() << " measured, " << row.stated << " stated\n";
  }
  std::cout << rows.size() << " rows on " << data << ", " << wrong << " of them off\n";
  return wrong;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) {
    std::cerr << "usage: orders PAGE.md PLOT.svg\n";
    return 2;
  }
  progress rows_so_far;
  const auto see = [&](const order_row& row) { rows_so_far(row); };
  const std::vector<order_row> rows = order_table({}, {}, see);
  const std::vector<order_row> mixtures = mixture_table({}, {}, see);
  std::ofstream page{arguments[1]}, picture{arguments[2]};
  write_page(page, rows, end_table(), mixtures);
  write_plot(picture, rows);
  page.flush();
  picture.flush();
  if (!page || !picture) {
    std::cerr << "orders: the page or the plot could not be written\n";
    return 2;
  }
  const int wrong = print("normal data", rows) + print("mixtures", mixtures);
  return wrong == 0 ? 0 : 1;
}
