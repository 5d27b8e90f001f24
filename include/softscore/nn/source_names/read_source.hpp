#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/io/file_error.hpp>
#include <softscore/io/safetensors.hpp>
#include <softscore/nn/diffusers/weights.hpp>
#include <softscore/nn/parameters.hpp>
#include <softscore/nn/source_names/source_layout.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

// The buffers of EDM's resampling layers: the outer product of the taps over its sum, (1,1,K,K). Throws `error` if a
// buffer has other values.
template <class = when_called>
void require_filter(const safetensors_file& file, const std::string& name, std::span<const double> taps) {
  const std::size_t k = taps.size();
  double sum = 0;
  for (const double tap : taps) sum += tap;
  bool equal = file.extent(name) == std::vector<std::size_t>{1, 1, k, k};
  if (equal) {
    const std::vector<float> values = file.floats(name);
    for (std::size_t i = 0; i < values.size(); ++i)
      equal = equal && std::abs(static_cast<double>(values[i]) - taps[i / k] * taps[i % k] / (sum * sum)) < 1e-3;
  }
  require_file(equal, file.path(), "the filter " + printable(name, 200), "another one",
               "that of the setting resample_filter");
}

// Compares the names and shapes of a file with a layout, and calls `use` as `compare_weights` does. Buffers that hold a
// filter are compared with `taps` and do not count as surplus.
template <class Use>
weights_fit compare_source(const safetensors_file& file, const source_layout& names, std::string_view prefix,
                           std::span<const double> taps, const Use& use) {
  weights_fit fit = compare_weights(file, names.tensors(), prefix, use);
  const auto is_filter = [&](const std::string& name) {
    if (taps.empty() || !name.ends_with(".resample_filter")) return false;
    require_filter(file, name, taps);
    std::size_t size = 1;
    for (const std::size_t n : file.extent(name)) size *= n;
    fit.in_file -= size;
    return true;
  };
  fit.surplus.erase(std::remove_if(fit.surplus.begin(), fit.surplus.end(), is_filter), fit.surplus.end());
  return fit;
}

// The prefix if every tensor of the file has it, else nothing.
inline std::string_view prefix_of_all(const safetensors_file& file, std::string_view prefix) {
  for (const std::string& name : file.names())
    if (!name.starts_with(prefix)) return "";
  return prefix;
}

inline std::size_t numbers_in(const safetensors_file& file) {
  std::size_t count = 0;
  for (const std::string& name : file.names()) {
    std::size_t size = 1;
    for (const std::size_t n : file.extent(name)) size *= n;
    count += size;
  }
  return count;
}

// The folder of a converted model of another library: config.json and model.safetensors.
inline std::filesystem::path source_weights(const std::filesystem::path& folder) {
  return folder / "model.safetensors";
}

}  // namespace detail

/// Copies the tensors of a file into a network's flat array, row by row. What does not fit stays unchanged and is
/// reported. `taps` are those of the filters in EDM's files. Throws `error` for numbers that are not finite and for
/// filters with other taps.
template <class = when_called>
weights_fit read_source_weights(const safetensors_file& file, const source_layout& names, std::span<float> into,
                                std::string_view prefix = "", std::span<const double> taps = {}) {
  return detail::compare_source(file, names, prefix, taps, [&](const parameter& tensor, const std::string& name) {
    const std::vector<float> values = file.floats(name);
    for (const float value : values)
      if (!std::isfinite(value))
        reject(detail::printable(file.path()) + ": a number in the tensor " + detail::printable(name, 200), value,
               "finite");
    names.scatter<float>(tensor, values, into);
  });
}

namespace detail {

// The network of some settings with the weights of a file. Names and shapes are compared before memory for it is
// allocated. `names_of(layout)` are the names of a network with that layout. They take memory too, so a network of
// another size is refused before they are made. A network of up to twice the size is compared, because then the names
// say what is missing.
template <class Net, class Settings, class NamesOf>
Net load_source(const std::filesystem::path& weights, const Settings& settings, const NamesOf& names_of,
                std::string_view prefix, std::span<const double> taps = {}) {
  const safetensors_file file{weights};
  const std::string_view before = prefix_of_all(file, prefix);
  const parameter_layout layout = Net::layout_of(settings);
  const std::size_t in_file = numbers_in(file);
  require_file(layout.count() / 2 <= in_file, file.path(), "the number of parameters of the network", layout.count(),
               "that of the numbers in the file, " + shown(in_file));
  const source_layout names = names_of(layout);
  require_whole(compare_source(file, names, before, taps, [](const parameter&, const std::string&) {}),
                weights.string());
  Net net{settings};
  read_source_weights(file, names, net.mutable_parameters(), before, taps);
  return net;
}

}  // namespace detail

}  // namespace softscore::inline SOFTSCORE_ABI
