// Compares metrics of images and of learned features, and a classifier on each backend, with numbers that scipy,
// scikit-image, scikit-learn and PyTorch computed in float64. Takes a file of make_metrics.py.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <span>
#include <string>
#include <vector>

#include <softscore/backend/serial.hpp>
#include <softscore/backend/tbb.hpp>
#include <softscore/corruption/undamaged.hpp>
#include <softscore/io/safetensors.hpp>
#include <softscore/metric/frechet_extrapolated.hpp>
#include <softscore/metric/inception_score.hpp>
#include <softscore/metric/kernel_distance.hpp>
#include <softscore/metric/network_features.hpp>
#include <softscore/metric/precision_recall.hpp>
#include <softscore/metric/psnr.hpp>
#include <softscore/metric/ssim.hpp>
#include <softscore/nn/classifier.hpp>
#include <softscore/objective/cross_entropy.hpp>

#include "worse.hpp"

namespace {

using namespace softscore;

// Metrics in double on both sides. A kernel sum of 150^2 cubes up to 1e5 cancels to a distance that is a hundredth of
// its terms; scipy's root of a product of covariances keeps about twelve digits. Shares are counts.
constexpr double metric_bound = 1e-10;
// In double the parameters are the same and gradients a sum of a few hundred products; in float32, with a roundoff of
// 6e-8, as in golden_plain_cnn.cpp.
constexpr double double_bound = 1e-11, float_bound = 1e-5, float_gradient_bound = 1e-4;

struct comparison {
  bool good = true;

  void report(const char* on, const std::string& what, double error, double bound) {
    const bool holds = error <= bound;  // false for a NaN too
    std::printf("%-14s %-34s %10.3e  (at most %.0e)%s\n", on, what.c_str(), error, bound, holds ? "" : "  FAILS");
    good = good && holds;
  }
};

// The largest difference as a share of the largest entry of `theirs`; infinite where one side has a NaN.
template <class T>
double relative(const std::vector<T>& ours, const std::vector<double>& theirs) {
  require(ours.size() == theirs.size(), "a golden tensor's size", theirs.size(), "that of ours");
  double most = 0, largest = 0;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    most = worse(most, std::abs(static_cast<double>(ours[i]) - theirs[i]));
    largest = std::max(largest, std::abs(theirs[i]));
  }
  return most / largest;
}

row_matrix<double> matrix_in(const safetensors_file& file, const char* name) {
  const auto values = file.tensor<double>(name);
  const auto& extent = file.extent(name);
  return as_matrix(values.data(), extent.at(0), extent.at(1));
}

void compare_metrics(const safetensors_file& file, comparison& all) {
  const auto report = [&](const char* what, const std::vector<double>& ours, const char* theirs) {
    all.report("metric", what, relative(ours, file.tensor<double>(theirs)), metric_bound);
  };
  const auto a = matrix_in(file, "a"), b = matrix_in(file, "b");
  report("Frechet distance", {frechet_distance(a, b)}, "frechet");
  report("kernel distance", {kernel_distance(a, b), kernel_distance(a, a)}, "kernel_distance");
  std::vector<double> shares, scores;
  for (const std::size_t k : {1u, 3u, 5u}) {
    const auto found = precision_recall(a, b, k);
    shares.insert(shares.end(), {found.precision, found.recall});
  }
  report("precision and recall", shares, "precision_recall");
  for (const std::size_t splits : {1u, 4u, 10u}) {
    const auto found = inception_score(matrix_in(file, "probabilities"), splits);
    scores.insert(scores.end(), {found.mean, found.deviation});
  }
  report("inception score", scores, "inception_score");
  const auto sizes = file.tensor<double>("line/sizes"), distances = file.tensor<double>("line/distances");
  const auto line = detail::line_over_inverse(sizes, distances);
  report("extrapolation", {line.infinite, line.slope}, "line/fit");
  const auto& extent = file.extent("truth");
  const auto restored = file.tensor<double>("restored"), truth = file.tensor<double>("truth");
  const shape images{extent.at(0), extent.at(1), extent.at(2), extent.at(3)};
  const view<const double, host_space> x{restored.data(), images}, y{truth.data(), images};
  std::vector<double> ratios, similarities;
  for (const double range : {1.0, 2.0}) {
    const auto some = psnr<double>(x, y, range), others = ssim<double>(x, y, range);
    ratios.insert(ratios.end(), some.begin(), some.end());
    similarities.insert(similarities.end(), others.begin(), others.end());
  }
  report("PSNR", ratios, "psnr");
  report("SSIM", similarities, "ssim");
}

template <class T, class Be>
std::vector<T> downloaded(Be& be, view_of<Be, const T> from) {
  std::vector<T> values(from.size());
  be.download(from, values.data());
  return values;
}

template <class T, class Be>
void compare_classifier(const safetensors_file& file, const char* on, comparison& all) {
  constexpr bool wide = sizeof(T) == 8;
  const double bound = wide ? double_bound : float_bound, gradient_bound = wide ? double_bound : float_gradient_bound;
  Be be;
  classifier net{{{4, 8}, 6, 3}, {1, 2, 9, 8}};
  auto flat = net.mutable_parameters();
  for (const parameter& p : net.layout())
    file.tensor_into<float>("param/" + p.name, p.sizes, flat.subspan(p.offset, p.size()));
  const auto pixels = file.tensor<float>("x");
  const std::vector<T> of_x(pixels.begin(), pixels.end()), of_parameters(flat.begin(), flat.end());
  const shape images{file.extent("x").at(0), 2, 9, 8};
  const cross_entropy objective{3, 0.1};
  auto x = be.template make<T>(images), scores = be.template make<T>(objective.output(images));
  auto parameters = be.template make<T>({1, 1, 1, flat.size()}),
       gradients = be.template make<T>({1, 1, 1, flat.size()});
  be.upload(of_x.data(), x.view());
  be.upload(of_parameters.data(), parameters.view());
  auto ws = net.template workspace<T>(be, images);
  net.forward(be, view_of<Be, const T>(parameters.view()), diffusion_time{}, view_of<Be, const T>(x.view()),
              scores.view(), ws);
  const view_of<Be, const T> out = scores.view();
  all.report(on, "features", relative(downloaded<T>(be, net.features(ws)), file.tensor<double>("features")), bound);
  all.report(on, "scores", relative(downloaded<T>(be, out), file.tensor<double>("scores")), bound);

  const auto labels = file.tensor<std::int32_t>("labels");
  corrupted_batch<Be, T> batch{};
  batch.given.labels = labels;
  std::vector<double> losses(labels.size());
  auto memory = objective.template workspace<T>(be, images);
  int none{};
  objective.evaluate(be, none, none, none, batch, out, scores.view(), losses.data(), memory);
  all.report(on, "cross-entropy", relative(losses, file.tensor<double>("loss")), bound);
  all.report(on, "its gradient", relative(downloaded<T>(be, out), file.tensor<double>("grad_scores")), gradient_bound);
  net.backward(be, view_of<Be, const T>(parameters.view()), out, view_of<Be, T>{}, gradients.view(), ws);
  const auto of_gradients = downloaded<T, Be>(be, gradients.view());
  for (const parameter& p : net.layout()) {
    const auto first = of_gradients.begin() + static_cast<std::ptrdiff_t>(p.offset);
    all.report(on, "gradient of " + p.name,
               relative(std::vector<T>(first, first + static_cast<std::ptrdiff_t>(p.size())),
                        file.tensor<double>("grad/" + p.name)),
               gradient_bound);
  }
}

}  // namespace

int main(int count, char** arguments) try {
  if (count != 2) throw error("one argument is wanted: a file of make_metrics.py");
  const safetensors_file file{arguments[1]};
  comparison all;
  compare_metrics(file, all);
  compare_classifier<double, serial_backend>(file, "serial double", all);
  compare_classifier<float, serial_backend>(file, "serial", all);
  compare_classifier<double, tbb_backend>(file, "tbb double", all);
  compare_classifier<float, tbb_backend>(file, "tbb", all);
  return all.good ? 0 : 1;
} catch (const std::exception& problem) {
  std::fprintf(stderr, "golden_metrics: %s\n", problem.what());
  return 2;
}
