#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/number_text.hpp>
#include <softscore/io/file_error.hpp>
#include <softscore/io/parse_double.hpp>
#include <softscore/io/safetensors.hpp>
#include <softscore/train/options.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Settings that are stored in a checkpoint, so that a reader can see what it is and refuse to continue something else.
using checkpoint_settings = std::map<std::string, std::string>;

namespace detail {
inline constexpr std::array<std::string_view, 3> rate_decay_names{"constant", "linear", "cosine"};
inline constexpr std::array<std::string_view, 5> ema_form_names{"none", "warmup", "half_life", "inverse_gamma",
                                                                "power"};

// Calls `each` with the name and a reference for every option that affects the bits of a run.
template <class Options, class Each>
void for_each_option(Options& o, const Each& each) {
  each("epochs", o.epochs);
  each("batch_size", o.batch_size);
  each("seed", o.seed);
  each("learning_rate", o.learning_rate);
  each("max_grad_norm", o.max_grad_norm);
  each("warmup_steps", o.warmup_steps);
  each("learning_rate_decay", o.learning_rate_decay);
  each("decay_steps", o.decay_steps);
  each("end_factor", o.end_factor);
  each("weight_decay", o.weight_decay);
  each("ema_decay", o.ema_decay);
  each("ema", o.ema.form);
  each("ema_most", o.ema.most);
  each("ema_half_life", o.ema.half_life);
  each("ema_ramp", o.ema.ramp);
  each("ema_inv_gamma", o.ema.inv_gamma);
  each("ema_power", o.ema.power);
  each("time_indices", o.times.indices);
  each("stratified_times", o.times.stratified);
  each("sobol_times", o.times.sobol);
  each("pixel_gain", o.pixels.gain);
  each("pixel_offset", o.pixels.offset);
  each("random_flip", o.random_flip);
  each("label_dropout", o.label_dropout);
  each("beside_noise", o.beside_noise);
  each("accumulate", o.accumulate);
  each("frozen", o.frozen);
  each("checkpoint_every", o.checkpoint_every);
  each("patience", o.patience);
}

inline std::string option_text(bool value) { return value ? "true" : "false"; }
inline std::string option_text(rate_decay value) {
  return std::string{rate_decay_names[static_cast<std::size_t>(value)]};
}
inline std::string option_text(ema_form value) { return std::string{ema_form_names[static_cast<std::size_t>(value)]}; }
inline std::string option_text(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ",") + name;
  return text;
}
template <class Number>
std::string option_text(Number value) {
  return shortest(value);
}

// Each of these reads a text into an option, or returns what a text must be.
inline std::string read_option(const std::string& text, bool& value) {
  value = text == "true";
  return value || text == "false" ? "" : "true or false";
}
template <class Names, class Choice>
std::string read_choice(const std::string& text, const Names& names, Choice& value) {
  std::string all;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (text == names[i]) {
      value = static_cast<Choice>(i);
      return "";
    }
    all += (i == 0 ? "" : i + 1 == names.size() ? " or " : ", ") + std::string{names[i]};
  }
  return all;
}
inline std::string read_option(const std::string& text, rate_decay& v) {
  return read_choice(text, rate_decay_names, v);
}
inline std::string read_option(const std::string& text, ema_form& v) { return read_choice(text, ema_form_names, v); }
inline std::string read_option(const std::string& text, std::vector<std::string>& names) {
  names.clear();
  for (std::size_t from = 0; !text.empty() && from <= text.size();) {
    const std::size_t comma = (std::min)(text.find(',', from), text.size());
    names.push_back(text.substr(from, comma - from));
    from = comma + 1;
  }
  return "";
}
template <class Number>
std::string read_option(const std::string& text, Number& value) {
  if constexpr (std::is_integral_v<Number>) {
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    return failed == std::errc{} && end == text.data() + text.size() ? "" : "a whole number";
  } else {
    const auto number = text == "inf" ? std::optional{std::numeric_limits<double>::infinity()} : parse_double(text);
    value = static_cast<Number>(number.value_or(0.0));
    return number && !std::isnan(*number) ? "" : "a number";
  }
}
}  // namespace detail

/// Returns the options of training as text, each under its own name: everything that affects the bits of a run besides
/// the images.
template <class = when_called>
checkpoint_settings settings_of(const training_options& options) {
  checkpoint_settings all;
  detail::for_each_option(options,
                          [&](const char* name, const auto& value) { all[name] = detail::option_text(value); });
  return all;
}

/// Returns the options of the run that a checkpoint belongs to; options that the file does not mention have their
/// defaults. Throws `error` naming the file and the first invalid option.
template <class Encoding>
training_options read_training_options(const basic_safetensors_file<Encoding>& file) {
  training_options options;
  detail::for_each_option(options, [&](const char* name, auto& value) {
    const auto text = file.find_metadata(name);
    if (!text) return;
    const std::string rule = detail::read_option(*text, value);
    detail::require_file(rule.empty(), file.path(), "the option " + std::string{name}, detail::printable(*text, 80),
                         rule);
  });
  try {
    options.check();
  } catch (const error& problem) {
    throw error(detail::printable(file.path()) + ": " + problem.what());
  }
  return options;
}

}  // namespace softscore::inline SOFTSCORE_ABI
