#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/io/file_error.hpp>
#include <softscore/io/json.hpp>
#include <softscore/io/safetensors.hpp>
#include <softscore/nn/parameters.hpp>
#include <softscore/train/saved_options.hpp>
#include <softscore/train/trainer.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {
template <class Tensors>
void add_named(Tensors& out, const std::string& group, const parameter_layout& layout, const std::vector<float>& flat) {
  for (const parameter& p : layout)
    out.emplace_back(group + "/" + p.name, p.sizes, std::span<const float>{flat.data() + p.offset, p.size()});
}

template <class Encoding>
std::vector<float> read_named(const basic_safetensors_file<Encoding>& file, const std::string& group,
                              const parameter_layout& layout) {
  std::vector<float> flat(layout.count());
  for (const parameter& p : layout) {
    const std::span<float> part{flat.data() + p.offset, p.size()};
    const std::string name = group + "/" + p.name;
    file.template tensor_into<float>(name, p.sizes, part);
    for (const float number : part)
      require_file(std::isfinite(number), file.path(), "a number in the tensor " + name, number, "finite");
  }
  return flat;
}
}  // namespace detail

/// Writes a state of training as a safetensors file: param/<name>, average/<name>, first_moment/<name> and
/// second_moment/<name> with PyTorch's names and shapes, the losses of all steps and epochs, `more` arrays, and the
/// settings as metadata. The file appears complete or not at all. Throws `error` naming the file if it cannot be
/// written.
template <class Encoding = detail::json_encoding>
void write_checkpoint(const std::filesystem::path& path, const parameter_layout& layout, const training_state& state,
                      const checkpoint_settings& settings, std::span<const named_tensor> more = {}) {
  std::vector<named_tensor> tensors{more.begin(), more.end()};
  detail::add_named(tensors, "param", layout, state.parameters);
  if (!state.average.empty()) detail::add_named(tensors, "average", layout, state.average);
  detail::add_named(tensors, "first_moment", layout, state.first_moment);
  detail::add_named(tensors, "second_moment", layout, state.second_moment);
  tensors.emplace_back("losses", std::vector{state.losses.size()}, state.losses);
  tensors.emplace_back("test_losses", std::vector{state.test_losses.size()}, state.test_losses);
  write_safetensors<Encoding>(path, {tensors.data(), tensors.size()}, settings);
}

/// Reads the state of training in a checkpoint. Throws `error` naming the file and the array if an array is missing or
/// has another type or shape than the network's, or if a parameter, an average or a moment is not finite.
template <class Encoding>
training_state read_checkpoint(const basic_safetensors_file<Encoding>& file, const parameter_layout& layout) {
  training_state s;
  s.parameters = detail::read_named(file, "param", layout);
  const auto names = file.names();
  if (std::any_of(names.begin(), names.end(), [](const auto& name) { return name.starts_with("average/"); }))
    s.average = detail::read_named(file, "average", layout);
  s.first_moment = detail::read_named(file, "first_moment", layout);
  s.second_moment = detail::read_named(file, "second_moment", layout);
  s.losses = file.template tensor<float>("losses");
  s.test_losses = file.template tensor<double>("test_losses");
  return s;
}

/// Returns the parameters of a checkpoint to sample with: the averaged ones if it has them. Throws as `read_checkpoint`
/// does.
template <class Encoding>
std::vector<float> read_parameters(const basic_safetensors_file<Encoding>& file, const parameter_layout& layout) {
  const std::string first = layout.begin()->name;
  return detail::read_named(file, file.contains("average/" + first) ? "average" : "param", layout);
}

}  // namespace softscore::inline SOFTSCORE_ABI
