#pragma once

// What golden_unet.cpp reads from a golden file, and what it prints.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <softscore/core/conditioning.hpp>
#include <softscore/io/safetensors.hpp>
#include <softscore/nn/diffusers.hpp>
#include <softscore/nn/source_names/read_source.hpp>
#include <softscore/nn/source_names/source_layout.hpp>

#include "drawn_numbers.hpp"
#include "worse.hpp"

namespace golden {

using namespace softscore;
namespace fs = std::filesystem;

// Largest relative errors that are allowed. In float both sides round each of a few hundred sums; PyTorch's own float32
// differs from its float64 by up to 1.7e-6 in the output and by `float32_grad` in gradients. In double the output is
// compared with float64, gradients with numbers that were rounded to float32 (6e-8).
struct bounds {
  double output, gradient, curve;
};

struct golden_case {
  fs::path file;
  unet_config settings;
  std::function<source_layout(const parameter_layout&)> names;  // of the library that the case comes from
  safetensors_file tensors;
  std::optional<fs::path> folder{};  // of a model, whose parameters are there
  std::set<std::string> zero_gradients{};

  // Whether the image beside x is a part of x for the network, whose gradient is then that in both.
  bool joins() const { return tensors.contains("condition") && settings.beside_channels == 0; }
  std::string name() const { return (joins() ? "both images of " : "") + own_name(); }
  std::string own_name() const { return folder ? file.parent_path().filename().string() : file.stem().string(); }
};

struct outcome {
  std::size_t found{}, checked{}, left{};
  bool good = true;

  // One line: what was compared, the largest error, and whether it is within its bound; false for a NaN too.
  void report(const std::string& of, const char* backend, const char* what, double error, double bound,
              const std::string& where = "") {
    const bool holds = error <= bound;
    std::printf("%-22s %-14s %-10s %9.2e  (at most %.1e)%s%s%s\n", of.c_str(), backend, what, error, bound,
                where.empty() ? "" : " in ", where.c_str(), holds ? "" : "  FAILS");
    good = good && holds;
  }
};

// The largest difference as a share of the largest entry of `theirs`; infinite where one side has a NaN.
template <class A, class B>
double relative(const std::vector<A>& ours, const std::vector<B>& theirs) {
  require(ours.size() == theirs.size(), "a golden tensor's size", theirs.size(), "that of ours");
  double most = 0, largest = 0;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    most = worse(most, std::abs(static_cast<double>(ours[i]) - static_cast<double>(theirs[i])));
    largest = std::max(largest, std::abs(static_cast<double>(theirs[i])));
  }
  return largest > 0 ? most / largest : most;
}

inline double number_in(const safetensors_file& file, const char* key) { return std::stod(file.metadata(key)); }

inline shape shape_of(const std::vector<std::size_t>& extent, std::size_t from = 0) {
  require(extent.size() == from + 4, "the rank of a golden tensor of images", extent.size(), "4, and 5 in a curve");
  return {extent[from], extent[from + 1], extent[from + 2], extent[from + 3]};
}

// A tensor of images, and where the case joins them that of the images before it.
template <class T>
std::vector<T> images_of(const golden_case& g, const std::string& beside, const std::string& x) {
  if (!g.joins()) return g.tensors.tensor<T>(x);
  const std::vector<T> first = g.tensors.tensor<T>(beside), second = g.tensors.tensor<T>(x);
  const std::size_t images = g.tensors.extent("x").front(), of_first = first.size() / images,
                    of_second = second.size() / images;
  std::vector<T> all;
  for (std::size_t n = 0; n < images; ++n) {
    const auto begin = first.begin() + static_cast<std::ptrdiff_t>(n * of_first),
               then = second.begin() + static_cast<std::ptrdiff_t>(n * of_second);
    all.insert(all.end(), begin, begin + static_cast<std::ptrdiff_t>(of_first));
    all.insert(all.end(), then, then + static_cast<std::ptrdiff_t>(of_second));
  }
  return all;
}
inline shape batch_of(const golden_case& g) {
  shape batch = shape_of(g.tensors.extent("x"));
  if (g.joins()) batch.channels += g.tensors.extent("condition").at(1);
  return batch;
}

// What is known of a batch besides x, as the file has it: labels as integers, or as floats that are times, vectors or
// one-hot vectors; numbers of the caller; an image beside x.
struct given_classes {
  std::vector<class_label> labels{};
  std::vector<float> features{}, condition{};
  shape of_condition{};

  given_classes(const safetensors_file& file, const std::string& name, const unet_config& settings) {
    if (settings.augment_features > 0) features = file.tensor<float>("augment_labels");
    if (settings.beside_channels > 0) {
      of_condition = shape_of(file.extent("condition"));
      condition = file.tensor<float>("condition");
    }
    if (!file.contains(name)) return;
    if (file.type(name) == "I64") {
      for (const std::int64_t label : file.tensor<std::int64_t>(name))
        labels.push_back(static_cast<class_label>(label));
    } else if (settings.class_embedding == unet_class::timestep) {
      for (const float label : file.tensor<float>(name)) labels.push_back(static_cast<class_label>(label));
    } else if (settings.reads_one_hot()) {
      const std::vector<float> rows = file.tensor<float>(name);
      for (std::size_t k = 0; k < rows.size(); ++k)
        if (rows[k] > 0) labels.push_back(static_cast<class_label>(k % settings.num_class_embeds));
    } else {
      features = file.tensor<float>(name);
    }
  }
  conditioning of(std::size_t first, std::size_t count, std::size_t width) const {
    conditioning known;
    if (!condition.empty()) known.image = {condition.data(), of_condition};
    if (!labels.empty()) known.labels = std::span{labels}.subspan(first, count);
    if (!features.empty()) known.features = {features.data(), {count, width, 1, 1}};
    return known;
  }
};

// The parameters of a case: those of its folder or file, or drawn from its name and compared with their sums.
template <NetworkTime Time>
std::vector<float> parameters_of(const golden_case& g, const unet<Time>& net, outcome& result) {
  std::vector<float> values(net.parameter_count());
  if (g.folder) {
    const auto loaded = load_diffusers<Time>(*g.folder);
    std::copy(loaded.parameters().begin(), loaded.parameters().end(), values.begin());
    return values;
  }
  const auto names = g.tensors.names();
  if (std::any_of(names.begin(), names.end(), [](const std::string& n) { return n.starts_with("param/"); })) {
    const auto filter = g.settings.smooth_samplers ? std::vector<double>{1, 3, 3, 1} : std::vector<double>{1, 1};
    require_whole(read_source_weights(g.tensors, g.names(net.layout()), values, "param/", filter), g.file.string());
    return values;
  }
  std::map<std::string, double> sums;
  const source_layout own = g.names(net.layout());
  for (const parameter& p : own.tensors()) {
    const auto drawn = drawn_parameter(g.tensors.metadata("case"), p.name, p.sizes);
    own.scatter<float>(p, drawn, values);
    for (const float v : drawn) sums[p.name] += static_cast<double>(v);
  }
  std::vector<double> ours;
  for (const auto& [name, sum] : sums) ours.push_back(sum);
  // Sums of up to 37,000 numbers below 1, in another order.
  result.report(g.file.stem().string(), "drawn", "parameters",
                relative(ours, g.tensors.tensor<double>("param_sums_f64")), 1e-11);
  return values;
}

}  // namespace golden
