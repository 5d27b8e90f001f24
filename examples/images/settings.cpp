#include "settings.hpp"

#include <algorithm>
#include <charconv>
#include <numeric>

#include <softscore/core/error.hpp>
#include <softscore/denoiser/diffusers/read_scheduler.hpp>
#include <softscore/denoiser/diffusers/write_scheduler.hpp>
#include <softscore/io/file_error.hpp>
#include <softscore/io/json_fields.hpp>
#include <softscore/nn/diffusers/read_config.hpp>
#include <softscore/nn/diffusers/write_config.hpp>

#include "common/numbers.hpp"

namespace images {
namespace {

using softscore::detail::printable;

constexpr std::string_view format = "softscore images 1";

// Calls `each` with the parts of a text.
template <class Each>
void split(const std::string& text, char at, const Each& each) {
  for (std::size_t from = 0; from <= text.size();) {
    const std::size_t end = std::min(text.find(at, from), text.size());
    each(text.substr(from, end - from));
    from = end + 1;
  }
}

std::string size_text(const softscore::shape& image) {
  return std::to_string(image.height) + " x " + std::to_string(image.width);
}

// At most 32 groups, as usual, with at least two channels each if the widths allow that.
std::size_t groups_for(const std::vector<std::size_t>& widths) {
  std::size_t common = 0;
  for (const std::size_t width : widths) common = std::gcd(common, width);
  std::size_t groups = std::clamp<std::size_t>(common / 2, 1, 32);
  while (common % groups != 0) --groups;
  return groups;
}

// Names of folders contain no '/'.
std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : "/") + name;
  return text;
}

}  // namespace

softscore::unet_config network_for(const network_plan& plan, const softscore::shape& image, std::size_t classes) {
  const std::size_t levels = plan.widths.size();
  softscore::require(plan.attention <= levels, "--attention", plan.attention,
                     "at most the number of levels, " + std::to_string(levels));
  softscore::unet_config c;
  c.in_channels = c.out_channels = image.channels;
  c.height = image.height;
  c.width = image.width;
  c.block_out_channels = plan.widths;
  c.down_blocks.assign(levels, softscore::unet_block::plain);
  c.up_blocks.assign(levels, softscore::unet_block::plain);
  for (std::size_t k = 0; k < plan.attention; ++k)
    c.down_blocks[levels - 1 - k] = c.up_blocks[k] = softscore::unet_block::attention;
  c.layers_per_block = plan.layers;
  c.dropout = plan.dropout;
  c.norm_num_groups = groups_for(plan.widths);
  // Heads of at most 32 channels that divide every level with attention and the middle.
  std::size_t head = plan.widths.back();
  for (std::size_t k = 0; k < plan.attention; ++k) head = std::gcd(head, plan.widths[levels - 1 - k]);
  while (head > 32 && head % 2 == 0) head /= 2;
  c.attention_head_dim = head;
  c.recipe = softscore::unet_recipe::ddpm;
  if (classes > 0) {
    c.class_embedding = softscore::unet_class::table;
    c.num_class_embeds = classes;
  }
  softscore::require_valid(c);
  return c;
}

void require_size(const softscore::unet_config& network, const softscore::shape& image, const std::string& of) {
  const std::size_t multiple = network.multiple();
  softscore::require(image.height % multiple == 0 && image.width % multiple == 0, "the size of the images in " + of,
                     size_text(image),
                     "a multiple of " + std::to_string(multiple) + " in height and width, since the network has " +
                         std::to_string(network.levels()) + " levels");
  softscore::require(image.channels == network.in_channels && image.channels == network.out_channels,
                     "the number of channels of the images in " + of, image.channels,
                     "that of the network, " + std::to_string(network.in_channels));
}

std::vector<std::size_t> parse_widths(std::string_view where, const std::string& text) {
  std::vector<std::size_t> widths;
  split(text, ',', [&](const std::string& word) {
    std::size_t width = 0;
    const auto [end, failed] = std::from_chars(word.data(), word.data() + word.size(), width);
    const bool holds = failed == std::errc{} && end == word.data() + word.size() && width >= 1 && width <= 4096;
    softscore::require(holds && widths.size() < 8, where, text.empty() ? "empty" : printable(text, 80),
                       "up to 8 widths from 1 to 4096, such as 32,64,64");
    widths.push_back(width);
  });
  return widths;
}

softscore::diffusers_scheduler parse_schedule(std::string_view where, const std::string& text) {
  softscore::require(text == "linear" || text == "cosine", where, printable(text, 80), "linear or cosine");
  softscore::diffusers_scheduler scheduler;
  scheduler.spacing = softscore::timestep_spacing::trailing;
  if (text == "cosine") scheduler.schedule = softscore::beta_rule::squaredcos_cap_v2;
  return scheduler;
}

std::string class_name(const std::vector<std::string>& classes, std::size_t label) {
  return label < classes.size() ? classes[label] : std::to_string(label);
}

std::vector<softscore::class_label> parse_labels(std::string_view where, const std::string& text, std::size_t count,
                                                 const std::vector<std::string>& classes) {
  if (text == "none") return {};
  softscore::require(count > 0, where, printable(text, 80), "left out, since the network takes no labels");
  std::vector<softscore::class_label> labels;
  if (text == "all") {
    for (std::size_t k = 0; k < count; ++k) labels.push_back(static_cast<softscore::class_label>(k));
    return labels;
  }
  split(text, ',', [&](const std::string& word) {
    std::size_t label = static_cast<std::size_t>(std::ranges::find(classes, word) - classes.begin());
    if (label == classes.size()) {
      const auto [end, failed] = std::from_chars(word.data(), word.data() + word.size(), label);
      if (failed != std::errc{} || end != word.data() + word.size()) label = count;
    }
    if (label >= count) {
      std::string names;
      for (std::size_t k = 0; k < std::min<std::size_t>(count, 20); ++k)
        names += (k > 0 ? ", " : "") + class_name(classes, k);
      softscore::reject(where, word.empty() ? "empty" : printable(word, 80),
                        "all, none, or classes between commas: " + names + (count > 20 ? ", ..." : "") +
                            " (or a number from 0 to " + std::to_string(count - 1) + ")");
    }
    labels.push_back(static_cast<softscore::class_label>(label));
  });
  return labels;
}

softscore::checkpoint_settings to_metadata(const run_settings& settings) {
  return {{"format", std::string{format}},
          {"data", settings.data},
          {"data_fingerprint", settings.fingerprint},
          {"images", std::to_string(settings.images)},
          {"test_images", std::to_string(settings.test_images)},
          {"network", softscore::unet_config_text(settings.network)},
          {"scheduler", softscore::scheduler_config_text(settings.scheduler)},
          {"classes", joined(settings.classes)}};
}

run_settings from_metadata(const softscore::safetensors_file& file) {
  const std::string shown = printable(file.path());
  softscore::require(file.find_metadata("format") == format, shown, "no checkpoint of this program",
                     "a checkpoint that images train wrote");
  const auto where = [&](const char* key) { return shown + ": the setting " + key; };
  const auto whole = [&](const char* key, std::size_t most) {
    return common::whole_number(where(key), file.metadata(key), 0, most);
  };
  const auto json = [&](const char* key) { return softscore::parse_json_settings(file.metadata(key), where(key)); };
  run_settings s;
  s.data = file.metadata("data");
  s.fingerprint = file.metadata("data_fingerprint");
  s.images = whole("images", 100'000'000);
  s.test_images = whole("test_images", 100'000'000);
  s.network = softscore::read_unet_config(json("network"));
  s.scheduler = softscore::read_scheduler_config(json("scheduler"));
  s.network.chain_steps = s.scheduler.chain_steps();
  if (const std::string names = file.metadata("classes"); !names.empty())
    split(names, '/', [&](const std::string& name) { s.classes.push_back(name); });
  softscore::detail::require_file(s.classes.empty() || s.classes.size() <= s.network.label_count(), file.path(),
                                  "the number of classes", s.classes.size(), "at most that of the network's");
  s.training = softscore::read_training_options(file);
  return s;
}

}  // namespace images
