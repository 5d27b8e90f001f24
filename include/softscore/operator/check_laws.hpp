#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <ostream>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/number_text.hpp>
#include <softscore/operator/concept.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// What `check_laws` found for one law: the largest error on any image, relative to what the law compares, and how
/// large rounding can make it. A bound of infinity marks a number that is only reported.
struct law_finding {
  std::string law;
  double largest_error{}, bound{};

  /// False also if the error is NaN.
  bool holds() const { return largest_error <= bound; }
};

/// One finding for each law that applies to the operator, in the order in which they are checked.
struct law_report {
  std::vector<law_finding> findings;

  bool holds() const {
    for (const law_finding& f : findings)
      if (!f.holds()) return false;
    return true;
  }
  /// The largest singular value found by power iteration at the levels tried.
  double norm{};
};

/// Returns a line per law: whether it holds, its name, the largest error and its bound.
template <class = when_called>
std::ostream& operator<<(std::ostream& out, const law_report& report) {
  for (const law_finding& f : report.findings) {
    out << (f.holds() ? "holds  " : "BROKEN ") << f.law << ": ";
    if (std::isinf(f.bound))
      out << detail::rounded(f.largest_error, 6) << '\n';
    else
      out << "error " << detail::rounded(f.largest_error, 6) << ", allowed " << detail::rounded(f.bound, 6) << '\n';
  }
  return out;
}

/// What `check_laws` tries: levels from 0 to `level_max`, and images of each of the `extents`. Operators for one image
/// size need extents of that size.
struct law_trials {
  double level_max{1.0};
  std::vector<shape> extents{{5, 3, 7, 9}, {4, 1, 8, 5}, {3, 3, 1, 6}};
  std::uint64_t seed{1};
};

namespace detail {

// Arithmetic on batches for the laws, on one extent.
template <class Be, class T>
class law_bench {
 public:
  using array = array_of<Be, T>;

  law_bench(Be& be, const shape& extent) : be_{be}, extent_{extent} {}

  Be& on() const { return be_; }
  const shape& extent() const { return extent_; }

  array make() const { return be_.template make<T>(extent_); }
  array normal(std::uint64_t seed) const {
    auto x = make();
    be_.normal(noise_key{.seed = seed, .stream = noise_stream::test}, image_range{0, extent_.images}, x.view());
    return x;
  }
  // a x + b y.
  array sum(double a, array& x, double b, array& y) const {
    auto out = make();
    be_.combine(out.view(), term_of<Be, T>{a, x.view()}, term_of<Be, T>{b, y.view()});
    return out;
  }
  std::vector<double> inner(array& x, array& y) const {
    std::vector<double> each(extent_.images);
    be_.dot(view_of<Be, const T>(x.view()), view_of<Be, const T>(y.view()), each.data());
    return each;
  }
  std::vector<double> norms(array& x) const {
    auto each = inner(x, x);
    for (double& v : each) v = std::sqrt(v);
    return each;
  }

  template <class Map>
  array mapped(const Map& map, array& x) const {
    auto out = make();
    map(view_of<Be, const T>(x.view()), out.view());
    return out;
  }

 private:
  Be& be_;
  shape extent_;
};

// A maximum that keeps a NaN.
inline void keep_largest(double& most, double value) {
  if (!(value <= most)) most = value;
}

// The largest of |difference of image i| / scale[i].
template <class Bench, class Array>
double distance(const Bench& bench, Array& x, Array& y, const std::vector<double>& scale) {
  auto difference = bench.sum(1.0, x, -1.0, y);
  const auto each = bench.norms(difference);
  double most = 0.0;
  for (std::size_t i = 0; i < each.size(); ++i) keep_largest(most, each[i] / (std::max)(scale[i], 1e-300));
  return most;
}

template <class Op, class Be, class T>
class law_checker {
 public:
  law_checker(const Op& op, Be& be, const law_trials& trials) : op_{op}, be_{be}, trials_{trials} {}

  law_report run() {
    require(trials_.level_max > 0.0 && std::isfinite(trials_.level_max), "level_max", trials_.level_max,
            "above 0 and finite");
    require(!trials_.extents.empty(), "number of extents", trials_.extents.size(), "at least 1");
    for (const shape& extent : trials_.extents) check(law_bench<Be, T>{be_, extent});
    return {std::move(findings_), norm_};
  }

 private:
  using bench_type = law_bench<Be, T>;
  using array = typename bench_type::array;
  using in_view = view_of<Be, const T>;
  using out_view = view_of<Be, T>;

  void check(const bench_type& bench) {
    const std::size_t images = bench.extent().images;
    std::vector<level> levels;
    for (std::size_t i = 0; i < images; ++i)
      levels.push_back(level{trials_.level_max * static_cast<double>(i) /
                             static_cast<double>(std::max<std::size_t>(1, images - 1))});
    const per_image<level> each = each_of(levels);

    const double norm = (std::max)(1.0, largest_norm(bench, each));
    keep_largest(norm_, norm_of_);
    // An element of C x is a sum of at most d products, so rounding changes it by at most d u |row of C| |x|, and all d
    // of them together by sqrt(d) times that. The factor sixteen allows for operators made of several such sums.
    const auto d = static_cast<double>(bench.extent().per_image());
    const double rounding = 16.0 * d * std::sqrt(d) * 0.5 * static_cast<double>(std::numeric_limits<T>::epsilon());

    check_identity(bench, rounding);
    check_linearity(bench, each, norm, rounding);
    check_adjoint(bench, each, norm, rounding);
    check_levels(bench, levels, norm, rounding);
    check_norm(rounding);
    if constexpr (ScalarOperator<Op>) check_gain(bench, levels, norm, rounding);
    if constexpr (ComposesLevels<Op>) check_compose(bench, levels, norm, rounding);
    if constexpr (DifferentiableInLevel<Op, Be, T>) check_derivative(bench, norm, rounding);
    if constexpr (HasSvd<Op, Be, T>)
      for (const double share : {0.0, 0.4, 1.0}) check_svd(bench, level{share * trials_.level_max}, norm, rounding);
  }

  auto applied(per_image<level> levels) const {
    return [this, levels](in_view x, out_view y) { degradation<Op>::apply(op_, be_, levels, x, y); };
  }
  auto adjoint(per_image<level> levels) const {
    return [this, levels](in_view x, out_view y) { degradation<Op>::adjoint(op_, be_, levels, x, y); };
  }

  void found(const std::string& law, double error, double bound) {
    for (law_finding& f : findings_)
      if (f.law == law) {
        // Extents have different bounds: the one that comes closest to its own, or exceeds it, is reported.
        const bool closer = error * f.bound > f.largest_error * bound || (bound == f.bound && error > f.largest_error);
        if (f.holds() && (!(error <= bound) || closer)) f = {law, error, bound};
        return;
      }
    findings_.push_back({law, error, bound});
  }

  void check_identity(const bench_type& bench, double rounding) {
    auto x = bench.normal(trials_.seed);
    auto forth = bench.mapped(applied(level{0.0}), x), back = bench.mapped(adjoint(level{0.0}), x);
    const auto scale = bench.norms(x);
    found("level 0 is the identity", (std::max)(distance(bench, forth, x, scale), distance(bench, back, x, scale)),
          rounding);
  }

  void check_linearity(const bench_type& bench, per_image<level> each, double norm, double rounding) {
    auto x = bench.normal(trials_.seed + 1), y = bench.normal(trials_.seed + 2);
    auto both = bench.sum(2.5, x, -0.5, y);
    auto of_x = bench.mapped(applied(each), x), of_y = bench.mapped(applied(each), y);
    auto of_both = bench.mapped(applied(each), both), expected = bench.sum(2.5, of_x, -0.5, of_y);
    auto scale = bench.norms(x);
    const auto more = bench.norms(y);
    for (std::size_t i = 0; i < scale.size(); ++i) scale[i] = norm * (2.5 * scale[i] + 0.5 * more[i]);
    found("C(ax + by) = aCx + bCy", distance(bench, of_both, expected, scale), rounding);
  }

  void check_adjoint(const bench_type& bench, per_image<level> each, double norm, double rounding) {
    auto x = bench.normal(trials_.seed + 3), y = bench.normal(trials_.seed + 4);
    auto cx = bench.mapped(applied(each), x), cty = bench.mapped(adjoint(each), y);
    const auto left = bench.inner(cx, y), right = bench.inner(x, cty), of_x = bench.norms(x), of_y = bench.norms(y);
    double most = 0.0;
    for (std::size_t i = 0; i < left.size(); ++i)
      keep_largest(most, std::abs(left[i] - right[i]) / (norm * of_x[i] * of_y[i]));
    found("<Cx, y> = <x, C'y>", most, rounding);
  }

  void check_levels(const bench_type& bench, const std::vector<level>& levels, double norm, double rounding) {
    auto x = bench.normal(trials_.seed + 5);
    auto scale = bench.norms(x);
    for (double& v : scale) v *= norm;
    auto together = bench.mapped(applied(each_of(levels)), x);
    auto alone = bench.make();
    for (std::size_t i = 0; i < levels.size(); ++i)
      degradation<Op>::apply(op_, be_, per_image<level>{levels[i]}, in_view(x.view().images(i, 1)),
                             alone.view().images(i, 1));
    found("a level per image is that level for each", distance(bench, together, alone, scale), rounding);
  }

  // Power iteration on C'C: each image has its own level, or its own start at the same level.
  double largest_norm(const bench_type& bench, per_image<level> each) {
    auto x = bench.normal(trials_.seed + 6);
    std::vector<double> length = bench.norms(x);
    norm_of_ = 0.0;
    for (int turn = 0; turn < 40; ++turn) {
      for (double& v : length) v = v > 0.0 ? 1.0 / v : 0.0;
      be_.combine(x.view(), term_of<Be, T>{each_of(length), x.view()});
      auto cx = bench.mapped(applied(each), x);
      const auto grown = bench.norms(cx);
      norm_of_ = 0.0;
      for (const double v : grown) keep_largest(norm_of_, v);
      x = bench.mapped(adjoint(each), cx);
      length = bench.norms(x);
    }
    return norm_of_;
  }

  void check_norm(double rounding) {
    if constexpr (NeverAmplifies<Op>)
      found("|C| <= 1, as declared", (std::max)(0.0, norm_of_ - 1.0), rounding);
    else
      found("|C|, by power iteration", norm_of_, std::numeric_limits<double>::infinity());
  }

  void check_gain(const bench_type& bench, const std::vector<level>& levels, double norm, double rounding) {
    auto x = bench.normal(trials_.seed + 7), expected = bench.make();
    std::vector<double> gains, scale = bench.norms(x);
    for (const level w : levels) gains.push_back(degradation<Op>::gain(op_, w));
    for (double& v : scale) v *= norm;
    be_.combine(expected.view(), term_of<Be, T>{each_of(gains), x.view()});
    auto cx = bench.mapped(applied(each_of(levels)), x);
    found("Cx = gain x", distance(bench, cx, expected, scale), rounding);
    if constexpr (DifferentiableGain<Op> && DifferentiableInLevel<Op, Be, T>) {
      for (std::size_t i = 0; i < gains.size(); ++i) gains[i] = degradation<Op>::gain_derivative(op_, levels[i]);
      be_.combine(expected.view(), term_of<Be, T>{each_of(gains), x.view()});
      degradation<Op>::derivative(op_, be_, each_of(levels), in_view(x.view()), cx.view());
      found("dC/dw x = gain' x", distance(bench, cx, expected, scale), rounding);
    }
  }

  void check_compose(const bench_type& bench, const std::vector<level>& levels, double norm, double rounding) {
    auto x = bench.normal(trials_.seed + 8);
    auto scale = bench.norms(x);
    for (double& v : scale) v *= norm * norm;
    std::vector<level> firsts, seconds, both;
    for (std::size_t i = 0; i < levels.size(); ++i) {
      firsts.push_back(level{0.5 * levels[i].value});
      seconds.push_back(level{0.4 * levels[levels.size() - 1 - i].value});
      both.push_back(degradation<Op>::compose(op_, firsts[i], seconds[i]));
    }
    auto once = bench.mapped(applied(each_of(firsts)), x);
    auto twice = bench.mapped(applied(each_of(seconds)), once);
    auto at_once = bench.mapped(applied(each_of(both)), x);
    found("C_b C_a = C_compose(a, b)", distance(bench, twice, at_once, scale), rounding);
  }

  // Compares with central differences of orders 6 and 8 in the level: their difference shows how far the better one may
  // be from the limit, and rounding divided by the step adds to it. Unlike dual numbers, this requires nothing of the
  // operator's code, so it works for any type and on any device.
  void check_derivative(const bench_type& bench, double norm, double rounding) {
    auto x = bench.normal(trials_.seed + 9);
    const auto scale = bench.norms(x);
    for (const double share : {0.3, 0.55, 0.8}) {
      const double w = share * trials_.level_max;
      const double h = trials_.level_max / (sizeof(T) == sizeof(double) ? 200.0 : 32.0);
      auto sixth = bench.make(), eighth = bench.make();
      constexpr std::array<double, 4> to_sixth{3.0 / 4, -3.0 / 20, 1.0 / 60, 0.0};
      constexpr std::array<double, 4> to_eighth{4.0 / 5, -1.0 / 5, 4.0 / 105, -1.0 / 280};
      for (std::size_t k = 0; k < 4; ++k) {
        const double step = h * static_cast<double>(k + 1);
        auto ahead = bench.mapped(applied(level{w + step}), x), behind = bench.mapped(applied(level{w - step}), x);
        auto slope = bench.sum(1.0 / h, ahead, -1.0 / h, behind);
        sixth = bench.sum(1.0, sixth, to_sixth[k], slope);
        eighth = bench.sum(1.0, eighth, to_eighth[k], slope);
      }
      auto exact = bench.mapped(
          [&](in_view in, out_view out) { degradation<Op>::derivative(op_, be_, per_image<level>{level{w}}, in, out); },
          x);
      const double truncation = distance(bench, sixth, eighth, scale);
      found("dC/dw agrees with differences of C", distance(bench, exact, eighth, scale),
            2.0 * truncation + 4.0 * norm * rounding / h);
    }
  }

  void check_svd(const bench_type& bench, level w, double norm, double rounding) {
    const auto parts = degradation<Op>::svd(op_, w, bench.extent());
    const std::span<const double> values{parts.values()};
    const std::size_t d = bench.extent().per_image();
    const bool sound = values.size() == d && std::all_of(values.begin(), values.end(), [](double v) { return v >= 0; });
    found("singular values: one per element, none below 0", sound ? 0.0 : 1.0, 0.0);
    if (!sound) return;

    const auto to = [&](in_view in, out_view out) { parts.to_modes(be_, in, out); };
    const auto from = [&](in_view in, out_view out) { parts.from_modes(be_, in, out); };
    const auto to_seen = [&](in_view in, out_view out) { parts.measurement_to_modes(be_, in, out); };
    const auto from_seen = [&](in_view in, out_view out) { parts.measurement_from_modes(be_, in, out); };

    auto x = bench.normal(trials_.seed + 10);
    const auto scale = bench.norms(x);
    double unitary = 0.0;
    const auto there_and_back = [&](const auto& there, const auto& back) {
      auto modes = bench.mapped(there, x), again = bench.mapped(back, modes);
      keep_largest(unitary, distance(bench, again, x, scale));
      const auto length = bench.norms(modes);
      for (std::size_t i = 0; i < length.size(); ++i) keep_largest(unitary, std::abs(length[i] / scale[i] - 1.0));
    };
    there_and_back(to, from);
    there_and_back(from, to);
    there_and_back(to_seen, from_seen);
    there_and_back(from_seen, to_seen);
    found("U and V are orthogonal", unitary, rounding);

    auto stretched = scale;
    for (double& v : stretched) v *= norm;
    const auto rebuilt = [&](const auto& into, const auto& out_of) {
      auto modes = bench.mapped(into, x);
      scale_modes(bench, values, modes);
      return bench.mapped(out_of, modes);
    };
    auto forth = rebuilt(to, from_seen), cx = bench.mapped(applied(w), x);
    auto back = rebuilt(to_seen, from), ctx = bench.mapped(adjoint(w), x);
    found("C = U S V'", (std::max)(distance(bench, forth, cx, stretched), distance(bench, back, ctx, stretched)),
          rounding);
  }

  void scale_modes(const bench_type& bench, std::span<const double> values, array& modes) {
    std::vector<T> host(modes.view().size());
    be_.download(in_view(modes.view()), host.data());
    const std::size_t d = bench.extent().per_image();
    for (std::size_t i = 0; i < host.size(); ++i) host[i] *= static_cast<T>(values[i % d]);
    be_.upload(host.data(), modes.view());
  }

  const Op& op_;
  Be& be_;
  law_trials trials_;
  std::vector<law_finding> findings_;
  double norm_{}, norm_of_{};
};

}  // namespace detail

/// Checks, on random images with a level per image, the laws that apply to an operator family, on backend `be` in
/// precision `T`: the identity at level 0, linearity, that `adjoint` is the transpose, and, if the operator has them,
/// `gain`, `compose`, `derivative` and `svd`. Power iteration finds the norm of C; it is reported, and must be at most
/// 1 if the operator declares that it never amplifies. Throws `error` if the trials name no extent or a level_max that
/// is not above 0.
template <class T = double, class Op, class Be>
  requires LinearOperator<Op, Be, T>
law_report check_laws(const Op& op, Be& be, const law_trials& trials = {}) {
  return detail::law_checker<Op, Be, T>{op, be, trials}.run();
}

/// The same on the serial backend, in double.
template <class Op>
  requires LinearOperator<Op, serial_backend, double>
law_report check_laws(const Op& op, const law_trials& trials = {}) {
  serial_backend be;
  return check_laws<double>(op, be, trials);
}

}  // namespace softscore::inline SOFTSCORE_ABI
