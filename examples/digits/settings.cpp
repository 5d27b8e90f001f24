#include "settings.hpp"

#include <charconv>
#include <limits>

#include <softscore/core/error.hpp>
#include <softscore/io/file_error.hpp>
#include <softscore/schedule/schedule_file.hpp>

#include "old_names.hpp"

namespace digits {
namespace {

constexpr std::string_view format = "softscore digits 1";

}  // namespace

network_choice parse_network(std::string_view where, const std::string& text) {
  if (text == "small") return {};
  if (text == "large") return {.widths = {16, 32, 64, 32, 16}};
  constexpr std::string_view of_unet{"unet:"};
  network_choice network{.widths = {}, .unet = text.starts_with(of_unet)};
  for (std::size_t from = network.unet ? of_unet.size() : 0; from <= text.size();) {
    const std::size_t comma = std::min(text.find(',', from), text.size());
    std::size_t width = 0;
    const auto [end, failed] = std::from_chars(text.data() + from, text.data() + comma, width);
    const bool holds = failed == std::errc{} && end == text.data() + comma && width >= 1 && width <= 256;
    softscore::require(holds && network.widths.size() < 16, where,
                       text.empty() ? "empty" : softscore::detail::printable(text, 80),
                       "small, large or up to 16 widths from 1 to 256, such as 8,16,8, or unet:16,32,32");
    network.widths.push_back(width);
    from = comma + 1;
  }
  return network;
}

std::string network_text(const network_choice& network) {
  std::string text;
  for (const std::size_t width : network.widths) text += (text.empty() ? "" : ",") + std::to_string(width);
  return (network.unet ? "unet:" : "") + text;
}

std::string parse_objective(std::string_view where, const std::string& text) {
  softscore::require(text == "soft" || text == "naive", where,
                     text.empty() ? "empty" : softscore::detail::printable(text, 80), "soft or naive");
  return text;
}

softscore::checkpoint_settings to_metadata(const run_settings& settings, const softscore::shape& image,
                                           const std::string& fingerprint) {
  const auto& o = settings.training;
  softscore::checkpoint_settings all{{"format", std::string{format}},
                                     {"recipe", settings.recipe},
                                     {"data", settings.data},
                                     {"data_fingerprint", fingerprint},
                                     {"images", std::to_string(settings.images)},
                                     {"channels", std::to_string(image.channels)},
                                     {"height", std::to_string(image.height)},
                                     {"width", std::to_string(image.width)},
                                     {"network", network_text(settings.network)},
                                     {"epochs", std::to_string(o.epochs)},
                                     {"batch_size", std::to_string(o.batch_size)},
                                     {"seed", std::to_string(o.seed)},
                                     {"learning_rate", exactly(o.learning_rate)},
                                     {"max_grad_norm", exactly(o.max_grad_norm)},
                                     {"warmup_steps", std::to_string(o.warmup_steps)},
                                     {"ema_decay", exactly(o.ema_decay)},
                                     {"ahead", exactly(settings.ahead)},
                                     {"checkpoint_every", std::to_string(o.checkpoint_every)}};
  if (!settings.objective.empty()) all["objective"] = settings.objective;
  if (settings.schedule) all["schedule"] = softscore::schedule_text({*settings.schedule, {}});
  return all;
}

read_settings from_metadata(const softscore::safetensors_file& file) {
  const std::string shown = softscore::detail::printable(file.path());
  softscore::require(file.find_metadata("format") == format, shown, "no checkpoint of this program",
                     "a checkpoint that digits train wrote");
  const auto where = [&](const std::string& key) { return shown + ": the setting " + key; };
  const auto name = [&](const char* key) {
    return name_in_file(key, [&](std::string_view k) { return file.find_metadata(k).has_value(); });
  };
  const auto whole = [&](const char* key, std::size_t least, std::size_t most = std::size_t{1} << 40) {
    return whole_number(where(name(key)), file.metadata(name(key)), least, most);
  };
  const auto real = [&](const char* key, double least, bool above = false) {
    return real_number(where(name(key)), file.metadata(name(key)), least, above);
  };
  read_settings read;
  read.fingerprint = file.metadata("data_fingerprint");
  read.image = {1, whole("channels", 1, 3), whole("height", 1, 1024), whole("width", 1, 1024)};
  auto& s = read.settings;
  s.recipe = file.metadata("recipe");
  s.data = file.metadata("data");
  s.images = whole("images", 0, 10'000'000);
  s.side = read.image.width;
  s.network = parse_network(where("network"), file.metadata("network"));
  s.ahead = real("ahead", 0.0);
  if (const auto text = file.find_metadata("objective")) s.objective = parse_objective(where("objective"), *text);
  if (const auto text = file.find_metadata("schedule"))
    s.schedule = softscore::parse_schedule(*text, where("schedule")).schedule;
  auto& o = s.training;
  o.epochs = whole("epochs", 1);
  o.batch_size = whole("batch_size", 1);
  o.seed = whole("seed", 0, std::numeric_limits<std::size_t>::max());
  o.learning_rate = real("learning_rate", 0.0, true);
  o.max_grad_norm = real("max_grad_norm", 0.0, true);
  o.warmup_steps = whole("warmup_steps", 0);
  o.ema_decay = real("ema_decay", 0.0);
  o.checkpoint_every = whole("checkpoint_every", 0);
  return read;
}

}  // namespace digits
