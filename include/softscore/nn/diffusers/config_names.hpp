#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <softscore/core/config.hpp>
#include <softscore/nn/unet/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// How config.json spells the values of a setting. If there are several spellings, the first one is written.
template <class Value>
struct spelled {
  Value value;
  std::string_view text;
};

inline constexpr std::array<spelled<unet_block>, 5> down_block_names{
    {{unet_block::plain, "DownBlock2D"},
     {unet_block::attention, "AttnDownBlock2D"},
     {unet_block::resnet, "ResnetDownsampleBlock2D"},
     {unet_block::skip, "SkipDownBlock2D"},
     {unet_block::attention_skip, "AttnSkipDownBlock2D"}}};
inline constexpr std::array<spelled<unet_block>, 5> up_block_names{{{unet_block::plain, "UpBlock2D"},
                                                                    {unet_block::attention, "AttnUpBlock2D"},
                                                                    {unet_block::resnet, "ResnetUpsampleBlock2D"},
                                                                    {unet_block::skip, "SkipUpBlock2D"},
                                                                    {unet_block::attention_skip, "AttnSkipUpBlock2D"}}};
inline constexpr std::array<spelled<unet_sampler>, 2> sampler_names{
    {{unet_sampler::convolution, "conv"}, {unet_sampler::resnet, "resnet"}}};
inline constexpr std::array<spelled<unet_time>, 3> time_names{
    {{unet_time::positional, "positional"}, {unet_time::fourier, "fourier"}, {unet_time::learned, "learned"}}};
inline constexpr std::array<spelled<unet_class>, 2> class_names{
    {{unet_class::timestep, "timestep"}, {unet_class::identity, "identity"}}};
inline constexpr std::array<spelled<bool>, 2> time_shift_names{{{false, "default"}, {true, "scale_shift"}}};

template <class Value, std::size_t Count>
std::optional<Value> value_spelled(const std::array<spelled<Value>, Count>& names, std::string_view text) {
  for (const auto& name : names)
    if (name.text == text) return name.value;
  return std::nullopt;
}
template <class Value, std::size_t Count>
std::string_view spelling(const std::array<spelled<Value>, Count>& names, Value value) {
  for (const auto& name : names)
    if (name.value == value) return name.text;
  return {};
}
// "a, b or c".
template <class Value, std::size_t Count>
std::string all_spellings(const std::array<spelled<Value>, Count>& names) {
  std::string text;
  for (std::size_t k = 0; k < Count; ++k) {
    if (k > 0) text += k + 1 < Count ? ", " : " or ";
    text += names[k].text;
  }
  return text;
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
