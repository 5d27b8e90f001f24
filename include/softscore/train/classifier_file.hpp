#pragma once

#include <charconv>
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/io/file_error.hpp>
#include <softscore/io/safetensors.hpp>
#include <softscore/nn/classifier.hpp>
#include <softscore/train/checkpoint.hpp>
#include <softscore/train/saved_options.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

inline constexpr std::string_view classifier_format{"softscore classifier 1"};

inline std::string comma_separated(std::span<const std::size_t> numbers) {
  std::string text;
  for (const std::size_t number : numbers) text += (text.empty() ? "" : ",") + std::to_string(number);
  return text;
}

// The numbers of a setting such as "16,32,64", up to a largest count.
template <class File>
std::vector<std::size_t> numbers_of_setting(const File& file, std::string_view key, std::size_t most,
                                            std::string_view rule) {
  const std::string text = file.metadata(key);
  std::vector<std::size_t> numbers;
  const char *at = text.data(), *const end = at + text.size();
  bool good = true;
  while (good) {
    std::size_t number = 0;
    const auto [next, problem] = std::from_chars(at, end, number);
    good = problem == std::errc{} && numbers.size() < most;
    numbers.push_back(number);
    at = next;
    if (!good || at == end) break;
    good = *at++ == ',';
  }
  require_file(good, file.path(), "the setting " + std::string{key}, printable(text, 80), rule);
  return numbers;
}
template <class File>
std::size_t number_of_setting(const File& file, std::string_view key) {
  return numbers_of_setting(file, key, 1, "a whole number").front();
}

// A file may claim a network of any size, so the size of the file limits the memory made for it. The counts are in
// double, where no product of such numbers overflows.
template <class File>
void check_size_of_classifier(const File& file, const classifier_sizes& sizes, const shape& image) {
  const auto product = [](auto... counts) { return (1.0 * ... * static_cast<double>(counts)); };
  const std::size_t stages = sizes.widths.size();
  double claimed = product(sizes.features, sizes.classes), there = 0.0;
  claimed += product(sizes.features, sizes.widths.back(), image.height >> stages, image.width >> stages);
  std::size_t before = image.channels;
  for (const std::size_t width : sizes.widths) {
    claimed += 9.0 * (product(before, width) + product(width, width));
    before = width;
  }
  for (const auto& name : file.names()) {
    if (!name.starts_with("param/")) continue;
    double elements = 1.0;
    for (const std::size_t n : file.extent(name)) elements *= static_cast<double>(n);
    there += elements;
  }
  require_file(claimed <= there, file.path(), "the number of parameters that the settings claim", claimed,
               "at most that of the numbers in the file, " + shown(there));
}

}  // namespace detail

/// Returns the settings of a checkpoint that describe its classifier; `read_classifier` needs them.
template <bool Timed>
checkpoint_settings settings_of(const basic_classifier<Timed>& net) {
  const classifier_sizes& sizes = net.sizes();
  const shape& image = net.image();
  return {{"format", std::string{detail::classifier_format}},
          {"timed", Timed ? "yes" : "no"},
          {"image", detail::comma_separated(std::vector{image.channels, image.height, image.width})},
          {"widths", detail::comma_separated(sizes.widths)},
          {"features", std::to_string(sizes.features)},
          {"classes", std::to_string(sizes.classes)}};
}

/// Writes only the parameters of a classifier, param/<name> in float32, with its sizes and `more` settings, such as the
/// seed that it was trained with. Throws `error` naming the file if it cannot be written.
template <bool Timed, class Encoding = detail::json_encoding>
void write_classifier(const std::filesystem::path& path, const basic_classifier<Timed>& net,
                      const checkpoint_settings& more = {}) {
  checkpoint_settings settings = settings_of(net);
  settings.insert(more.begin(), more.end());
  const std::vector<float> flat(net.parameters().begin(), net.parameters().end());
  std::vector<named_tensor> tensors;
  detail::add_named(tensors, "param", net.layout(), flat);
  write_safetensors<Encoding>(path, {tensors.data(), tensors.size()}, settings);
}

/// Reads a classifier from a file of `write_classifier`, or from a checkpoint of training with its `settings_of`; the
/// averaged parameters if there are any. Throws `error` naming the file if it does not hold such a classifier.
template <class Net = classifier, class Encoding = detail::json_encoding>
Net read_classifier(const std::filesystem::path& path) {
  const basic_safetensors_file<Encoding> file{path};
  detail::require_file(file.find_metadata("format") == detail::classifier_format, file.path(), "the setting format",
                       detail::printable(file.find_metadata("format").value_or("missing"), 80),
                       detail::classifier_format);
  const std::string timed = file.metadata("timed"), wanted = Net::timed ? "yes" : "no";
  detail::require_file(timed == wanted, file.path(), "the setting timed", detail::printable(timed, 80), wanted);
  constexpr std::string_view image_rule = "channels, height and width, with commas between them";
  const auto extent = detail::numbers_of_setting(file, "image", 3, image_rule);
  detail::require_file(extent.size() == 3, file.path(), "the setting image", detail::comma_separated(extent),
                       image_rule);
  const classifier_sizes sizes{
      detail::numbers_of_setting(file, "widths", 16, "at most 16 whole numbers with commas between them"),
      detail::number_of_setting(file, "features"), detail::number_of_setting(file, "classes")};
  const shape image{1, extent[0], extent[1], extent[2]};
  detail::check_size_of_classifier(file, sizes, image);
  Net net{sizes, image};
  net.set_parameters(read_parameters(file, net.layout()));
  return net;
}

}  // namespace softscore::inline SOFTSCORE_ABI
