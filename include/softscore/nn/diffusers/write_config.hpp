#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/nn/diffusers/config_names.hpp>
#include <softscore/nn/diffusers/settings_writer.hpp>
#include <softscore/nn/unet/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {
// UNet2DModel has none of these.
template <class = when_called>
void require_extras_unused(const unet_config& c) {
  const auto unused = [](bool is, const char* name) {
    require(is, name, "given", "left at its default in a network for diffusers, whose UNet2DModel has no such setting");
  };
  const unet_config usual{};
  unused(c.form == usual.form, "form");
  unused(c.conv_in_channels == 0, "conv_in_channels");
  unused(!c.groups_of_four, "groups_of_four");
  unused(c.attention_heads == 0, "attention_heads");
  unused(c.attention_bias, "attention_bias");
  unused(!c.attend_last, "attend_last");
  unused(c.block_divisor == 1, "block_divisor");
  unused(!c.smooth_samplers, "smooth_samplers");
  unused(!c.sampler_shortcut, "sampler_shortcut");
  unused(!c.residual_picture, "residual_picture");
  unused(c.time_features == 0, "time_features");
  unused(c.time_hidden == 0, "time_hidden");
  unused(c.embedding_activation, "embedding_activation");
  unused(c.augment_features == 0, "augment_features");
  unused(c.time_planes == 0, "time_planes");
  unused(!c.reads_one_hot(), "a class embedding of a one-hot vector");
  unused(c.time_embedding != unet_time::fourier_of_time, "Fourier features of the time itself");
}
}  // namespace detail

/// Returns the config.json of a network, as diffusers reads it. Throws `error` for class planes, an image beside x and
/// a row for images without a label, which UNet2DModel does not have.
template <class = when_called>
std::string unet_config_text(const unet_config& c) {
  require(c.beside_channels == 0, "beside_channels", c.beside_channels,
          "0 in a network for diffusers, whose UNet2DModel has none");
  require(c.class_planes == 0, "class_planes", c.class_planes,
          "0 in a network for diffusers, whose UNet2DModel has none");
  require(c.no_label == null_class::zero, "no_label", "last_row",
          "zero in a network for diffusers, whose UNet2DModel has no row that stands for no label");
  detail::require_extras_unused(c);
  const auto quoted = [](std::string_view text) { return '"' + std::string{text} + '"'; };
  detail::settings_writer to;
  to.add_text("_class_name", "UNet2DModel");
  to.add_text("act_fn", "silu");
  to.add_flag("add_attention", c.add_attention);
  to.add_optional("attention_head_dim", c.attention_head_dim.value_or(0));
  to.add_optional("attn_norm_num_groups", c.attn_norm_num_groups.value_or(0));
  to.add_list("block_out_channels", c.levels(), [&](std::size_t k) { return std::to_string(c.block_out_channels[k]); });
  to.add_flag("center_input_sample", c.center_input_sample);
  if (const auto kind = detail::spelling(detail::class_names, c.class_embedding); !kind.empty())
    to.add_text("class_embed_type", kind);
  else
    to.add("class_embed_type", "null");
  to.add_list("down_block_types", c.levels(),
              [&](std::size_t k) { return quoted(detail::spelling(detail::down_block_names, c.down_blocks[k])); });
  to.add_size("downsample_padding", c.downsample_padding);
  to.add_text("downsample_type", detail::spelling(detail::sampler_names, c.downsample_type));
  to.add_number("dropout", c.dropout);
  to.add_flag("flip_sin_to_cos", c.flip_sin_to_cos);
  to.add_number("freq_shift", c.freq_shift);
  to.add_size("in_channels", c.in_channels);
  to.add_size("layers_per_block", c.layers_per_block);
  to.add_number("mid_block_scale_factor", c.mid_block_scale_factor);
  to.add("mid_block_type", c.mid_block ? "\"UNetMidBlock2D\"" : "null");
  to.add_number("norm_eps", c.norm_eps);
  to.add_size("norm_num_groups", c.norm_num_groups);
  to.add_optional("num_class_embeds", c.class_embedding == unet_class::table ? c.num_class_embeds : 0);
  to.add_optional("num_train_timesteps", c.num_train_timesteps);
  to.add_size("out_channels", c.out_channels);
  to.add_text("resnet_time_scale_shift", detail::spelling(detail::time_shift_names, c.scale_shift));
  if (c.height != c.width)
    to.add_list("sample_size", 2, [&](std::size_t k) { return std::to_string(k == 0 ? c.height : c.width); });
  else
    to.add_optional("sample_size", c.height);
  to.add_optional("time_embedding_dim", c.time_embedding_dim);
  to.add_text("time_embedding_type", detail::spelling(detail::time_names, c.time_embedding));
  to.add_list("up_block_types", c.levels(),
              [&](std::size_t k) { return quoted(detail::spelling(detail::up_block_names, c.up_blocks[k])); });
  to.add_text("upsample_type", detail::spelling(detail::sampler_names, c.upsample_type));
  return to.done();
}

}  // namespace softscore::inline SOFTSCORE_ABI
