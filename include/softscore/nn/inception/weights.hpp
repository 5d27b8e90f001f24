#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <softscore/core/checked_size.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/number_text.hpp>
#include <softscore/core/shape.hpp>
#include <softscore/io/file_error.hpp>
#include <softscore/io/safetensors.hpp>
#include <softscore/nn/diffusers/weights.hpp>
#include <softscore/nn/inception/input.hpp>
#include <softscore/nn/inception_v3.hpp>
#include <softscore/nn/parameters.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// How `read_inception_v3` makes the network.
struct inception_reading {
  /// The shape of the images that it will receive.
  shape image{1, 3, inception_input::side, inception_input::side};
  /// Whether scores include the bias of the last layer, as in PyTorch. The inception score of its authors' program, and
  /// of torch-fidelity, omits it.
  bool bias{true};
};

namespace detail {

inline constexpr std::string_view conv_bias{".conv.bias"};  // of a convolution, after whose weight it comes
inline constexpr const char* batch_norm_parts[] = {".bn.weight", ".bn.bias", ".bn.running_mean", ".bn.running_var"};

// The arrays of a file for a network with folded batch norms: each convolution's weight, and four arrays of its norm
// instead of the bias.
template <class = when_called>
parameter_layout inception_file_layout(const parameter_layout& folded) {
  parameter_layout of_file;
  for (const parameter& p : folded) {
    if (p.name.ends_with(conv_bias)) {
      const std::string module = p.name.substr(0, p.name.size() - conv_bias.size());
      for (const char* part : batch_norm_parts) of_file.add(module + part, p.sizes, 0, 0);
    } else {
      of_file.add(p.name, p.sizes, 0, 0);
    }
  }
  return of_file;
}

}  // namespace detail

/// Folds a batch norm in evaluation, gain (z - mean) / sqrt(variance + eps) + shift, into the convolution z = W x
/// before it: W (O,...) becomes gain / sqrt(variance + eps) W, and `bias` (O) is set. All other spans have O numbers.
/// Throws `error` unless every variance + eps is positive (Ioffe and Szegedy 2015, Algorithm 2).
template <class = when_called>
void fold_batch_norm(std::span<float> weight, std::span<const float> gain, std::span<const float> shift,
                     std::span<const float> mean, std::span<const float> variance, double eps, std::span<float> bias) {
  require(!bias.empty() && weight.size() % bias.size() == 0, "the number of weights before a batch norm", weight.size(),
          "a multiple of that of its channels, " + detail::shown(bias.size()));
  for (const auto& numbers : {gain, shift, mean, variance})
    require(numbers.size() == bias.size(), "the length of an array of a batch norm", numbers.size(),
            "that of the others, " + detail::shown(bias.size()));
  const std::size_t fan_in = weight.size() / bias.size();
  for (std::size_t o = 0; o < bias.size(); ++o) {
    const double spread = static_cast<double>(variance[o]) + eps;
    require(spread > 0, "a variance of a batch norm", variance[o], "greater than minus its eps");
    const double scale = static_cast<double>(gain[o]) / std::sqrt(spread);
    for (float& w : weight.subspan(o * fan_in, fan_in)) w = static_cast<float>(scale * static_cast<double>(w));
    bias[o] = static_cast<float>(static_cast<double>(shift[o]) - scale * static_cast<double>(mean[o]));
  }
}

/// Whether a file looks like Inception's weights with the names of torchvision: it has those of the first convolution.
template <class = when_called>
bool has_inception_v3(const safetensors_file& file) {
  return file.contains("Conv2d_1a_3x3.conv.weight");
}

/// Reads Inception from a safetensors file with the tensors of pytorch-fid's pt_inception-2015-12-05, under their
/// original names (NAME.conv.weight, NAME.bn.weight and so on, fc.weight, fc.bias), in float32, float16 or bfloat16.
/// Batch norms, whose eps is 1e-3, are folded into the convolutions; counts of batches (num_batches_tracked) are
/// ignored. Throws `error` naming the file, and what is missing, surplus, of another shape or not finite.
template <class = when_called>
inception_v3 read_inception_v3(const safetensors_file& file, const inception_reading& reading = {}) {
  inception_v3 net{reading.image};
  const parameter_layout of_file = detail::inception_file_layout(net.layout());
  const auto counts_batches = [](const std::string& name) { return name.ends_with(".bn.num_batches_tracked"); };
  auto fit = compare_weights(file, of_file, "", [](const parameter&, const std::string&) {});
  std::erase_if(fit.surplus, counts_batches);
  for (const std::string& name : file.names())
    if (counts_batches(name)) --fit.in_file;
  require_whole(fit, file.path(), "pytorch-fid's Inception");
  std::vector<float> values = vector_of<float>("number of parameters", {of_file.count()});
  read_weights(file, of_file, values);

  const auto flat = net.mutable_parameters();
  const auto of_network = [&](const parameter& p) { return flat.subspan(p.offset, p.size()); };
  auto next = of_file.begin();  // in the order of the network's own arrays
  const auto take = [&] {
    const parameter& p = *next++;
    return std::span<const float>{values}.subspan(p.offset, p.size());
  };
  std::span<float> weight;
  for (const parameter& p : net.layout()) {
    const auto own = of_network(p);
    if (p.name.ends_with(detail::conv_bias)) {
      const auto gain = take(), shift = take(), mean = take(), variance = take();
      detail::require_for(
          p.name.substr(0, p.name.size() - detail::conv_bias.size()) + " in " + detail::printable(file.path()),
          [&] { fold_batch_norm(weight, gain, shift, mean, variance, 1e-3, own); });
    } else {
      const auto from = take();
      std::copy(from.begin(), from.end(), own.begin());
      weight = own;
    }
  }
  if (!reading.bias) {
    const auto bias = of_network(net.layout().at("fc.bias"));
    std::fill(bias.begin(), bias.end(), 0.0f);
  }
  return net;
}
template <class = when_called>
inception_v3 read_inception_v3(const std::filesystem::path& path, const inception_reading& reading = {}) {
  return read_inception_v3(safetensors_file{path}, reading);
}

}  // namespace softscore::inline SOFTSCORE_ABI
