#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include <softscore/backend/serial.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/noise.hpp>
#include <softscore/core/number_text.hpp>
#include <softscore/nn/concept.hpp>
#include <softscore/nn/layer.hpp>
#include <softscore/nn/layer_trial.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// What `check_gradients` found for one array: the relative error of its gradient, and how large it may be.
struct gradient_finding {
  std::string of;
  double relative_error{}, allowed{};

  /// False also if the error is NaN.
  bool holds() const { return relative_error <= allowed; }
};

/// One finding for each array that has a gradient, then one for each other property that a layer must have.
struct gradient_report {
  std::vector<gradient_finding> findings;

  bool holds() const {
    return std::all_of(findings.begin(), findings.end(), [](const gradient_finding& f) { return f.holds(); });
  }
};

/// Returns a line per finding: whether it holds, the array, the error and the limit.
template <class = when_called>
std::ostream& operator<<(std::ostream& out, const gradient_report& report) {
  for (const gradient_finding& f : report.findings)
    out << (f.holds() ? "holds  " : "BROKEN ") << f.of << ": error " << detail::rounded(f.relative_error, 6)
        << ", allowed " << detail::rounded(f.allowed, 6) << '\n';
  return out;
}

/// How `check_gradients` tries a layer or network.
struct gradient_trials {
  std::size_t embedding{};                ///< features of the embedding that the layer receives
  std::optional<dropout_draw> dropout{};  ///< the draw of dropout layers, which do nothing without one
  /// Whether the elements of x are at least .02 apart and .01 from 0: for functions with kinks, such as ReLU and the
  /// maximum.
  bool apart{false};
  std::uint64_t seed{1};
  double allowed{1e-7};
};

namespace detail {

inline double length_of(const std::vector<double>& a) {
  return std::sqrt(std::inner_product(a.begin(), a.end(), a.begin(), 0.0));
}

// Standard normal numbers, different for each `use`.
inline std::vector<double> trial_numbers(std::size_t count, std::uint64_t seed, std::uint32_t use) {
  std::vector<double> values;
  for (std::uint32_t block = 0; values.size() < count; ++block)
    for (const float v : normals(noise_key{.seed = seed, .stream = noise_stream::test, .step = use}, 0, block))
      if (values.size() < count) values.push_back(static_cast<double>(v));
  return values;
}

// The same, but in steps of .02 around 0 and in a random order.
inline std::vector<double> trial_numbers_apart(std::size_t count, std::uint64_t seed, std::uint32_t use) {
  const std::vector<double> drawn = trial_numbers(count, seed, use);
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) { return drawn[i] < drawn[j]; });
  std::vector<double> values(count);
  for (std::size_t k = 0; k < count; ++k)
    values[order[k]] = 0.02 * (static_cast<double>(k) - static_cast<double>(count / 2) + 0.5);
  return values;
}

// The initial values of the parameters, changed a little: gains of 1 and gates of 0 hide errors.
inline std::vector<double> trial_parameters(const parameter_layout& layout, std::uint64_t seed) {
  std::vector<float> drawn(layout.count());
  draw_initial_values(layout, seed, drawn);
  std::vector<double> values = trial_numbers(layout.count(), seed, 3);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(drawn[i]) + 0.1 * values[i];
  return values;
}

// One of several arrays inside a larger one.
struct gradient_part {
  std::string name;
  std::size_t offset{}, size{};
};

// Returns the relative error of `slopes`, the gradient of `loss` at `point` with respect to the part. It compares the
// slope along two directions u. Each is twice the gradient's own direction plus a random one, so that the slope is not
// small by chance. The slope is (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12h; its error is h^4 f'''''/30 plus the
// rounding of f, about 1e-16 |f| / h. `size` is the magnitude of the terms of f: errors of slopes below 1e-4 of it are
// relative to that.
template <class Loss>
double gradient_error(const Loss& loss, const std::vector<double>& point, const std::vector<double>& slopes,
                      const gradient_part& part, double size, std::uint64_t seed) {
  constexpr double h = 1e-4;
  const std::vector<double> own(slopes.begin() + static_cast<std::ptrdiff_t>(part.offset),
                                slopes.begin() + static_cast<std::ptrdiff_t>(part.offset + part.size));
  const double of_own = length_of(own);
  double most = 0;
  for (std::uint32_t direction = 0; direction < 2; ++direction) {
    std::vector<double> u = trial_numbers(part.size, seed, 10 + direction);
    const double of_u = length_of(u);
    for (std::size_t i = 0; i < u.size(); ++i) u[i] = u[i] / of_u + (of_own > 0 ? 2 * own[i] / of_own : 0);
    const auto along = [&](double step) {
      std::vector<double> moved = point;
      for (std::size_t i = 0; i < u.size(); ++i) moved[part.offset + i] += step * u[i];
      return loss(moved);
    };
    const double difference = (8 * (along(h) - along(-h)) - (along(2 * h) - along(-2 * h))) / (12 * h);
    const double slope = std::inner_product(own.begin(), own.end(), u.begin(), 0.0);
    const double error = std::abs(difference - slope) / (std::max)(std::abs(slope), 1e-4 * size);
    if (!(error <= most)) most = error;  // a NaN is kept
  }
  return most;
}

inline double different(const std::vector<double>& a, const std::vector<double>& b) { return a == b ? 0.0 : 1.0; }

}  // namespace detail

/// Compares the gradients of a layer, for a batch of the shape `in`, with central differences in double on the serial
/// backend: dx, the gradient of every parameter array and that of the embedding. The layer has random parameters, an
/// input, an embedding, and memory for one image more. The report also says whether the layer sets all of its results,
/// whether they keep their bits when dx or the gradients of the parameters are not wanted, and whether one embedding
/// for all images gives the same as that embedding for each. Throws `error` for a shape that the layer cannot take.
template <class L>
  requires Layer<L, serial_backend, double>
gradient_report check_gradients(const L& layer, const shape& in, const gradient_trials& trials = {}) {
  require(in.size() > 0, "the batch that a layer is tried on", in, "at least 1 in every direction");
  using trial_type = layer_trial<L, serial_backend, double>;
  serial_backend be;
  const layer_trial_sizes sizes{in, in.images + 1, trials.embedding, 0, trials.dropout};
  trial_type trial{be, layer, sizes};
  const std::size_t elements = in.size(), features = in.images * trials.embedding;

  std::vector<double> point = trials.apart ? detail::trial_numbers_apart(elements, trials.seed, 1)
                                           : detail::trial_numbers(elements, trials.seed, 1);
  const std::vector<double> embedding = detail::trial_numbers(features, trials.seed, 2);
  const std::vector<double> parameters = detail::trial_parameters(trial.layout(), trials.seed);
  const std::vector<double> dy = detail::trial_numbers(trial.output().size(), trials.seed, 4);
  point.insert(point.end(), embedding.begin(), embedding.end());
  point.insert(point.end(), parameters.begin(), parameters.end());
  std::vector<detail::gradient_part> parts{{"dx", 0, elements}};
  if (features > 0) parts.push_back({"embedding", elements, features});
  for (const parameter& p : trial.layout()) parts.push_back({p.name, elements + features + p.offset, p.size()});

  const auto place = [&](const std::vector<double>& at) {
    const auto from = [&](std::size_t begin, std::size_t count) {
      const auto first = at.begin() + static_cast<std::ptrdiff_t>(begin);
      return std::vector<double>(first, first + static_cast<std::ptrdiff_t>(count));
    };
    trial.set_x(from(0, elements));
    trial.set_embedding(from(elements, features));
    trial.set_parameters(from(elements + features, parameters.size()));
  };
  const auto loss = [&](const std::vector<double>& at) {
    place(at);
    trial.forward();
    const std::vector<double> y = trial.y();
    return std::inner_product(y.begin(), y.end(), dy.begin(), 0.0);
  };

  trial.set_dy(dy);
  trial.spoil();
  loss(point);
  const std::vector<double> y = trial.y();
  trial.backward();
  const std::vector<double> dx = trial.dx(), d_embedding = trial.d_embedding(), gradients = trial.gradients();
  trial.spoil();
  trial.backward(true, false);
  const double without_gradients = detail::different(trial.dx(), dx);
  trial.backward(false, true);
  const double without_dx =
      (std::max)(detail::different(trial.gradients(), gradients), detail::different(trial.d_embedding(), d_embedding));

  std::vector<double> slopes = dx;
  slopes.insert(slopes.end(), d_embedding.begin(), d_embedding.end());
  slopes.insert(slopes.end(), gradients.begin(), gradients.end());
  const double size = detail::length_of(y) * detail::length_of(dy);
  gradient_report report;
  for (const detail::gradient_part& part : parts)
    report.findings.push_back(
        {part.name, detail::gradient_error(loss, point, slopes, part, size, trials.seed), trials.allowed});
  report.findings.push_back({"dx where no other gradient is wanted", without_gradients, 0});
  report.findings.push_back({"gradients where dx is not wanted", without_dx, 0});

  if (trials.embedding > 0) {
    layer_trial_sizes alike = sizes;
    alike.embedding_rows = 1;
    trial_type other{be, layer, alike};
    std::vector<double> row(embedding.begin(), embedding.begin() + static_cast<std::ptrdiff_t>(trials.embedding)), rows;
    for (std::size_t n = 0; n < in.images; ++n) rows.insert(rows.end(), row.begin(), row.end());
    place(point);
    trial.set_embedding(rows);
    trial.forward();
    other.set_x({point.begin(), point.begin() + static_cast<std::ptrdiff_t>(elements)});
    other.set_parameters(parameters);
    other.set_embedding(row);
    other.forward();
    report.findings.push_back(
        {"y where one embedding is that of all images", detail::different(trial.y(), other.y()), 0});
  }
  return report;
}

/// The same for a network evaluated with `asked`, a time or a `network_input`, on a batch of the shape `images`: dx and
/// the gradient of every parameter array, including the embedding's. The parameters are the network's own, changed a
/// little.
template <class N, class Input>
  requires NetworkInput<Input> && Network<N, serial_backend, double, time_of_input<Input>>
gradient_report check_gradients(const N& network, const Input& asked, const shape& images,
                                const gradient_trials& trials = {}) {
  serial_backend be;
  auto ws = network.template workspace<double>(be, images.with_images(images.images + 1));
  const std::size_t elements = images.size(), count = network.parameter_count();
  auto x = be.make<double>(images), dx = be.make<double>(images);
  auto out = be.make<double>(output_extent(network, images)), dout = be.make<double>(output_extent(network, images));
  auto parameters = be.make<double>({1, 1, 1, count}), gradients = be.make<double>({1, 1, 1, count});

  std::vector<double> point = trials.apart ? detail::trial_numbers_apart(elements, trials.seed, 1)
                                           : detail::trial_numbers(elements, trials.seed, 1);
  const std::vector<double> moves = detail::trial_numbers(count, trials.seed, 3);
  for (std::size_t i = 0; i < count; ++i)
    point.push_back(static_cast<double>(network.parameters()[i]) + 0.05 * moves[i]);
  const std::vector<double> dy = detail::trial_numbers(out.view().size(), trials.seed, 4);
  be.upload(dy.data(), dout.view());
  std::vector<detail::gradient_part> parts{{"dx", 0, elements}};
  for (const parameter& p : network.layout())
    if (p.trained) parts.push_back({p.name, elements + p.offset, p.size()});

  std::vector<double> y(out.view().size());
  const auto loss = [&](const std::vector<double>& at) {
    be.upload(at.data(), x.view());
    be.upload(at.data() + elements, parameters.view());
    network.forward(be, parameters.view(), asked, x.view(), out.view(), ws);
    be.download(view_of<serial_backend, const double>{out.view()}, y.data());
    return std::inner_product(y.begin(), y.end(), dy.begin(), 0.0);
  };
  loss(point);
  network.backward(be, parameters.view(), dout.view(), dx.view(), gradients.view(), ws);
  std::vector<double> slopes(point.size());
  be.download(view_of<serial_backend, const double>{dx.view()}, slopes.data());
  be.download(view_of<serial_backend, const double>{gradients.view()}, slopes.data() + elements);
  const double size = detail::length_of(y) * detail::length_of(dy);
  gradient_report report;
  for (const detail::gradient_part& part : parts)
    report.findings.push_back(
        {part.name, detail::gradient_error(loss, point, slopes, part, size, trials.seed), trials.allowed});
  return report;
}

}  // namespace softscore::inline SOFTSCORE_ABI
