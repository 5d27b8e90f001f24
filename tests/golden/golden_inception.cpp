// Compares Inception with random weights, and what it sees of images, with what PyTorch computed in float64 (Szegedy et
// al. 2016; the FID's network, Heusel et al. 2017). Takes a file of make_inception.py.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <sstream>
#include <string>
#include <vector>

#include <softscore/backend/serial.hpp>
#include <softscore/io/safetensors.hpp>
#include <softscore/nn/inception/input.hpp>
#include <softscore/nn/inception/weights.hpp>
#include <softscore/nn/inception_v3.hpp>
#include <softscore/nn/layer_trial.hpp>

#include "drawn_numbers.hpp"
#include "temporary_folder.hpp"
#include "threaded_backend.hpp"
#include "worse.hpp"

namespace {

using namespace softscore;

struct comparison {
  bool good = true;

  void report(const std::string& what, double error, double bound) {
    const bool holds = error <= bound;  // false for a NaN too
    std::printf("%-28s %10.3e  (at most %.1e)%s\n", what.c_str(), error, bound, holds ? "" : "  FAILS");
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

// 1e-5, or three times what PyTorch's float32 is off where that is more.
double bound_of(const safetensors_file& file, const std::string& error_of_theirs) {
  return std::max(1e-5, 3 * std::stod(file.metadata(error_of_theirs)));
}

std::vector<float> drawn_images(const std::string& text, std::size_t count) {
  const std::uint64_t hash = hash_of(text);
  std::vector<float> pixels(count);
  for (std::size_t i = 0; i < count; ++i) pixels[i] = static_cast<float>(drawn_uniform(hash, i));
  return pixels;
}

struct drawn_weights {
  std::vector<std::string> names{};
  std::vector<std::vector<std::size_t>> sizes{};
  std::vector<std::vector<float>> values{};
};

// The weights that the metadata list, as make_inception.py draws them.
drawn_weights draw_weights(const safetensors_file& file) {
  drawn_weights all;
  std::istringstream lines{file.metadata("weights")};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words{line};
    std::string name;
    words >> name;
    std::vector<std::size_t> sizes;
    std::size_t count = 1;
    for (std::size_t n = 0; words >> n; count *= n) sizes.push_back(n);
    const std::uint64_t hash = hash_of("inception:" + name);
    const double fan_in = static_cast<double>(count / sizes.front());
    const bool gain = name.ends_with(".bn.weight"), variance = name.ends_with(".bn.running_var");
    const double start = gain || variance ? 1 : 0;
    double spread = gain ? 0.3 : variance ? 0.9 : 0.2;
    if (name.ends_with(".conv.weight")) spread = std::sqrt(6 / fan_in);
    if (name == "fc.weight") spread = std::sqrt(3 / fan_in);
    std::vector<float> values(count);
    for (std::size_t i = 0; i < count; ++i)
      values[i] = static_cast<float>(start + spread * (2 * drawn_uniform(hash, i) - 1));
    all.names.push_back(name);
    all.sizes.push_back(sizes);
    all.values.push_back(std::move(values));
  }
  return all;
}

template <class Be>
void compare_resizing(const safetensors_file& file, const char* on, comparison& all) {
  Be be;
  for (const auto& name : file.names()) {
    if (!name.starts_with("resized/")) continue;
    shape in;
    char times = 0;
    std::istringstream{name.substr(8)} >> in.images >> times >> in.channels >> times >> in.height >> times >> in.width;
    layer_trial<inception_input, Be, float> trial{be, inception_input{}, {.in = in}};
    const auto pixels = drawn_images("resized " + name.substr(8), in.size());
    trial.set_x({pixels.begin(), pixels.end()});
    trial.forward();
    const std::vector<double> y = trial.y();
    std::vector<double> some;
    for (std::size_t i = 0; i < y.size(); i += 97) some.push_back(y[i]);
    all.report(name + on, relative(some, file.tensor<double>(name)), bound_of(file, name));
  }
}

void compare_network(const safetensors_file& file, comparison& all) {
  const temporary_folder folder;
  const auto path = folder / "inception.safetensors";
  {
    const drawn_weights drawn = draw_weights(file);
    std::vector<named_tensor> tensors;
    std::vector<double> sums;
    for (std::size_t k = 0; k < drawn.names.size(); ++k) {
      tensors.emplace_back(drawn.names[k], drawn.sizes[k], drawn.values[k]);
      sums.push_back(0);
      for (const float v : drawn.values[k]) sums.back() += static_cast<double>(v);
    }
    // Sums of up to two million numbers of about 0.05, in another order.
    all.report("drawn weights", relative(sums, file.tensor<double>("weight_sums")), 1e-10);
    write_safetensors(path, {tensors.data(), tensors.size()});
  }
  const shape images{2, 3, 37, 52};
  const inception_v3 net = read_inception_v3(path, {.image = images});
  threaded_backend be;
  auto ws = net.workspace<float>(be, images);
  std::printf("%.1f million elements of activations for two images; %s\n", static_cast<double>(ws.elements()) / 1e6,
              ws.describe().c_str());
  auto x = be.make<float>(images);
  auto out = be.make<float>(net.output(images));
  const auto pixels = drawn_images("inception images", images.size());
  be.upload(pixels.data(), x.view());
  std::vector<float> features(2 * 2048), scores(2 * 1008), alone(2048);
  const auto evaluate = [&](std::size_t first, std::size_t count, std::vector<float>& of_features) {
    const view<float, host_space> to = out.view().images(first, count);
    net.evaluate(be, diffusion_time{}, view<const float, host_space>(x.view().images(first, count)), to, ws);
    be.download(net.features(ws), of_features.data());
    be.download(view<const float, host_space>(to), scores.data() + first * 1008);
  };
  evaluate(0, 2, features);
  all.report("features", relative(features, file.tensor<double>("features")), bound_of(file, "features_float32_error"));
  all.report("scores", relative(scores, file.tensor<double>("scores")), bound_of(file, "scores_float32_error"));
  evaluate(1, 1, alone);
  all.report("bits of an image alone", std::equal(alone.begin(), alone.end(), features.begin() + 2048) ? 0 : 1, 0);
}

}  // namespace

int main(int count, char** arguments) try {
  if (count != 2) throw error("one argument is wanted: a file of make_inception.py");
  const safetensors_file file{arguments[1]};
  comparison all;
  compare_resizing<serial_backend>(file, ", serial", all);
  compare_resizing<threaded_backend>(file, ", threads", all);
  compare_network(file, all);
  return all.good ? 0 : 1;
} catch (const std::exception& problem) {
  std::fprintf(stderr, "golden_inception: %s\n", problem.what());
  return 2;
}
