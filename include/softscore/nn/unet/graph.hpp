#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/nn/conv2d.hpp>
#include <softscore/nn/named.hpp>
#include <softscore/nn/unet/attention_block.hpp>
#include <softscore/nn/unet/config.hpp>
#include <softscore/nn/unet/normalization.hpp>
#include <softscore/nn/unet/picture_reducer.hpp>
#include <softscore/nn/unet/relu_block.hpp>
#include <softscore/nn/unet/resampling.hpp>
#include <softscore/nn/unet/residual_block.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

enum class unet_operation {
  planes,
  center,
  convolve,
  normalize,
  residual,
  attend,
  resample,
  concatenate,
  add,
  shrink_picture,
  rectify
};

// One step of a U-Net: it reads value `in`, and also `beside` if two meet, and makes value `out`. A residual block that
// reads two values sees them as one, with their channels concatenated.
struct unet_step {
  static constexpr std::size_t none = static_cast<std::size_t>(-1);

  unet_operation what{};
  std::size_t layer{};  // among those of its kind
  std::size_t in{}, beside{none}, out{};
  resampling how{};
  double divisor{1};  // of a sum

  bool reads_two() const { return beside != none; }
};

// An activation: its channels, and how much smaller its sides are than the image's, as a power of two.
struct unet_value {
  std::size_t channels{}, level{};
};

// A U-Net as a list of steps, in the order of the forward pass, and the layers that they run. Value 0 is the input, and
// the last one is the output.
struct unet_graph {
  std::vector<unet_value> values;
  std::vector<unet_step> steps;
  std::vector<named<conv2d>> convolutions;
  std::vector<named<block_norm>> norms;
  std::vector<named<residual_block>> residuals;
  std::vector<named<attention_block>> attentions;
  std::vector<named<picture_reducer>> reducers;
  std::vector<named<relu_block>> rectifiers;
};

// Builds the graph of a config, level by level, as UNet2DModel is built.
class unet_builder {
 public:
  explicit unet_builder(const unet_config& c) : c_{c} {}

  unet_graph build() {
    g_.values.push_back({c_.in_channels - c_.planes(), 0});
    std::size_t x = 0;
    if (c_.planes() > 0) x = step(unet_operation::planes, 0, x, {c_.in_channels, 0});
    if (c_.center_input_sample) x = step(unet_operation::center, 0, x, g_.values[x]);
    if (c_.form == unet_form::relu) {
      relu_level(0, x, "net.");
      return std::move(g_);
    }
    std::size_t picture = x;
    x = convolve("conv_in", x, c_.conv_in_channels > 0 ? c_.conv_in_channels : c_.block_out_channels.front());
    skips_.push_back(x);
    for (std::size_t level = 0; level < c_.levels(); ++level) down(level, x, picture);
    if (c_.mid_block) x = middle(x);
    picture = none;
    for (std::size_t k = 0; k < c_.levels(); ++k) up(k, x, picture);
    x = normalize("conv_norm_out", x, groups(channels(x)));
    x = convolve("conv_out", x, c_.out_channels);
    if (picture != none) add(picture, x);
    return std::move(g_);
  }

 private:
  static constexpr std::size_t none = unet_step::none;
  static constexpr double root_of_two = 1.4142135623730951;
  static constexpr std::size_t picture_channels = 3;

  static bool skips(unet_block kind) { return kind == unet_block::skip || kind == unet_block::attention_skip; }
  static bool attends(unet_block kind) { return kind == unet_block::attention || kind == unet_block::attention_skip; }
  // Groups of the blocks with a picture beside x: at most 32 groups, of four channels each or more.
  static std::size_t quarter(std::size_t channels) { return (std::min)(channels / 4, std::size_t{32}); }

  void down(std::size_t level, std::size_t& x, std::size_t& picture) {
    const unet_block kind = c_.down_blocks[level];
    const std::size_t width = c_.block_out_channels[level];
    const std::string name = "down_blocks." + std::to_string(level);
    for (std::size_t k = 0; k < c_.layers_per_block; ++k) {
      const std::size_t before = channels(x);
      x = residual(name + ".resnets." + std::to_string(k), x,
                   skips(kind) ? of_skip(width, quarter(before)) : of_block(width, groups(before)));
      if (attends(kind)) x = attend(name + ".attentions." + std::to_string(k), x, kind);
      skips_.push_back(x);
    }
    if (level + 1 == c_.levels()) return;
    if (skips(kind)) {
      x = residual(name + ".resnet_down", x, of_sampler(width, resampling::fir_down));
      picture = resample(resampling::fir_down, picture);
      x = add(convolve(name + ".skip_conv", picture, width, {.kernel = 1}), x);
    } else if (c_.shrinks_inside(level)) {
      x = residual(name + ".downsamplers.0", x,
                   of_inner_sampler(width, c_.smooth_samplers ? resampling::fir_down : resampling::mean));
      if (c_.residual_picture) {
        g_.reducers.emplace_back(name + ".picture", picture_reducer{width});
        picture = step(unet_operation::shrink_picture, g_.reducers.size() - 1, picture,
                       {width, g_.values[picture].level + 1});
        x = picture = add(x, picture, c_.block_divisor);
      }
    } else {
      const std::size_t before = c_.downsample_padding;
      x = convolve(name + ".downsamplers.0.conv", x, width, {.stride = 2, .padding = {before, before, 1, 1}});
    }
    skips_.push_back(x);
  }

  std::size_t middle(std::size_t x) {
    residual_options options = of_block(c_.block_out_channels.back());
    options.groups_in = groups(channels(x));
    options.divisor = c_.mid_block_scale_factor;
    x = residual("mid_block.resnets.0", x, options);
    if (c_.add_attention) {
      const std::size_t groups = c_.attn_norm_num_groups.value_or(c_.scale_shift ? 0 : options.groups_out);
      x = attend("mid_block.attentions.0", x, groups, c_.mid_block_scale_factor);
    }
    return residual("mid_block.resnets.1", x, options);
  }

  void up(std::size_t k, std::size_t& x, std::size_t& picture) {
    const unet_block kind = c_.up_blocks[k];
    const std::size_t width = c_.block_out_channels[c_.levels() - 1 - k];
    const bool last = k + 1 == c_.levels();
    const std::string name = "up_blocks." + std::to_string(k);
    for (std::size_t j = 0; j <= c_.layers_per_block; ++j) {
      const std::size_t before = channels(x), skip = skips_.back(), of_skip_channels = channels(skip);
      skips_.pop_back();
      // AttnSkipUpBlock2D divides only the skip's width; checkpoints depend on that.
      const std::size_t of_four = kind == unet_block::attention_skip
                                      ? (std::min)(before + of_skip_channels / 4, std::size_t{32})
                                      : quarter(before + of_skip_channels);
      x = residual(name + ".resnets." + std::to_string(j), x,
                   skips(kind) ? of_skip(width, of_four) : of_block(width, groups(before + of_skip_channels)), skip);
      if (kind == unet_block::attention && (!c_.attend_last || j == c_.layers_per_block))
        x = attend(name + ".attentions." + std::to_string(j), x, kind);
    }
    if (skips(kind)) {
      if (attends(kind)) x = attend(name + ".attentions.0", x, kind);
      if (picture != none) picture = resample(resampling::fir_up, picture);
      if (last) return;
      const std::size_t s =
          convolve(name + ".skip_conv", normalize(name + ".skip_norm", x, quarter(width)), picture_channels);
      picture = picture == none ? s : add(picture, s);
      x = residual(name + ".resnet_up", x, of_sampler(width, resampling::fir_up));
    } else if (last) {
      return;
    } else if (kind == unet_block::resnet ||
               (kind == unet_block::attention && c_.upsample_type == unet_sampler::resnet)) {
      x = residual(name + ".upsamplers.0", x,
                   of_inner_sampler(width, c_.smooth_samplers ? resampling::fir_up : resampling::nearest));
    } else {
      x = convolve(name + ".upsamplers.0.conv", resample(resampling::nearest, x), width);
    }
  }

  // A level without norms, and those below it: blocks, and between them the smaller planes, which a skip bypasses.
  void relu_level(std::size_t level, std::size_t& x, const std::string& name) {
    const std::size_t width = c_.block_out_channels[level], layers = c_.layers_per_block;
    std::size_t number = level == 0 ? 0 : 1;
    const auto block = [&](std::size_t out, bool drops_last) {
      g_.rectifiers.emplace_back(name + std::to_string(number++), relu_block{{width, out, c_.dropout, drops_last}});
      x = step(unet_operation::rectify, g_.rectifiers.size() - 1, x, {out, g_.values[x].level});
    };
    for (std::size_t k = 0; k < layers; ++k) block(width, true);
    if (level + 1 < c_.levels()) {
      const std::size_t skip = x;
      x = resample(resampling::mean, x);
      relu_level(level + 1, x, name + std::to_string(number++) + ".main.");
      x = resample(resampling::nearest, x);
      x = step(unet_operation::concatenate, 0, x, {channels(x) + channels(skip), g_.values[skip].level}, skip);
    }
    for (std::size_t k = 1; k < layers; ++k) block(width, true);
    block(level == 0 ? c_.out_channels : c_.block_out_channels[level - 1], level > 0);
  }

  // The number of groups of a norm over that many channels.
  std::size_t groups(std::size_t of_channels) const {
    return c_.groups_of_four ? (std::min)(of_channels / 4, c_.norm_num_groups) : c_.norm_num_groups;
  }
  residual_options of_block(std::size_t width) const { return of_block(width, groups(width)); }
  residual_options of_block(std::size_t width, std::size_t groups_in) const {
    return {.out_channels = width,
            .groups_in = groups_in,
            .groups_out = groups(width),
            .epsilon = c_.norm_eps,
            .scale_shift = c_.scale_shift,
            .dropout = c_.dropout,
            .divisor = c_.block_divisor};
  }
  residual_options of_inner_sampler(std::size_t width, resampling how) const {
    residual_options options = of_block(width);
    options.resample = how;
    options.shortcut = c_.sampler_shortcut;
    return options;
  }
  residual_options of_skip(std::size_t width, std::size_t groups_in) const {
    residual_options options = of_block(width);
    options.groups_in = groups_in;
    options.groups_out = quarter(width);
    options.divisor = root_of_two;
    return options;
  }
  residual_options of_sampler(std::size_t width, resampling how) const {
    residual_options options = of_skip(width, quarter(width));
    options.resample = how;
    options.shortcut = true;
    return options;
  }

  std::size_t channels(std::size_t value) const { return g_.values[value].channels; }

  std::size_t step(unet_operation what, std::size_t layer, std::size_t in, unet_value out, std::size_t beside = none,
                   resampling how = resampling::none) {
    g_.steps.push_back({what, layer, in, beside, g_.values.size(), how, 1});
    g_.values.push_back(out);
    return g_.values.size() - 1;
  }
  std::size_t convolve(std::string name, std::size_t in, std::size_t width, const conv2d_options& options = {}) {
    g_.convolutions.emplace_back(std::move(name), conv2d{width, options});
    const std::size_t level = g_.values[in].level + (options.stride == 2 ? 1 : 0);
    return step(unet_operation::convolve, g_.convolutions.size() - 1, in, {width, level});
  }
  std::size_t normalize(std::string name, std::size_t in, std::size_t groups) {
    g_.norms.emplace_back(std::move(name), block_norm{groups, c_.norm_eps, activation::silu});
    return step(unet_operation::normalize, g_.norms.size() - 1, in, g_.values[in]);
  }
  std::size_t residual(std::string name, std::size_t in, const residual_options& options, std::size_t beside = none) {
    g_.residuals.emplace_back(std::move(name), residual_block{options});
    // Without a middle block the first skip is x itself, but the two parts must not share one gradient.
    if (beside == in) {
      in = step(unet_operation::concatenate, 0, in, {2 * channels(in), g_.values[in].level}, beside);
      beside = none;
    }
    return step(unet_operation::residual, g_.residuals.size() - 1, in,
                {options.out_channels, level_after(in, options.resample)}, beside);
  }
  std::size_t attend(std::string name, std::size_t in, std::size_t groups, double divisor) {
    g_.attentions.emplace_back(
        std::move(name), attention_block{{head_width(channels(in)), groups, c_.norm_eps, divisor, c_.attention_bias}});
    return step(unet_operation::attend, g_.attentions.size() - 1, in, g_.values[in]);
  }
  std::size_t attend(std::string name, std::size_t in, unet_block kind) {
    return skips(kind) ? attend(std::move(name), in, 32, root_of_two)
                       : attend(std::move(name), in, groups(channels(in)), c_.block_divisor);
  }
  // 0: one head of all channels.
  std::size_t head_width(std::size_t of_channels) const {
    if (c_.attention_heads == 0) return c_.attention_head_dim.value_or(0);
    require(of_channels % c_.attention_heads == 0, "attention_heads", c_.attention_heads,
            "a divisor of the channels of each level with attention, here " + std::to_string(of_channels));
    return of_channels / c_.attention_heads;
  }
  std::size_t resample(resampling how, std::size_t in) {
    return step(unet_operation::resample, 0, in, {channels(in), level_after(in, how)}, none, how);
  }
  std::size_t add(std::size_t a, std::size_t b, double divisor = 1) {
    step(unet_operation::add, 0, a, g_.values[a], b);
    g_.steps.back().divisor = divisor;
    return g_.values.size() - 1;
  }
  std::size_t level_after(std::size_t in, resampling how) const {
    return g_.values[in].level + (reduces(how) ? 1 : 0) - (enlarges(how) ? 1 : 0);
  }

  const unet_config& c_;
  unet_graph g_{};
  std::vector<std::size_t> skips_{};
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
