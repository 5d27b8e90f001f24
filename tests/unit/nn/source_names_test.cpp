#include "catch.hpp"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <softscore/nn/diffusers/write_config.hpp>
#include <softscore/nn/edm.hpp>
#include <softscore/nn/guided_diffusion.hpp>
#include <softscore/nn/sr3.hpp>

#include "refusal.hpp"
#include "temporary_folder.hpp"

using namespace softscore;

namespace {

using Catch::Matchers::ContainsSubstring;

// Files of the networks of Dhariwal and Nichol 2021, Song et al. 2021, Karras et al. 2022 and Saharia et al. 2021.

const char* const adm_config = R"({"image_size": 8, "in_channels": 2, "out_channels": 4, "model_channels": 4,
  "channel_mult": [0.5, 2], "num_res_blocks": 1, "attention_resolutions": [2], "num_classes": 3, "num_heads": 2,
  "num_head_channels": -1, "use_scale_shift_norm": true, "resblock_updown": true, "use_new_attention_order": false,
  "groups": 2})";
const char* const edm_config = R"({"model_type": "SongUNet", "img_resolution": 8, "in_channels": 2, "out_channels": 2,
  "label_dim": 3, "augment_dim": 2, "model_channels": 8, "channel_mult": [1, 2], "channel_mult_emb": 2, "num_blocks": 1,
  "attn_resolutions": [4], "embedding_type": "fourier", "encoder_type": "residual", "channel_mult_noise": 2,
  "resample_filter": [1, 3, 3, 1]})";
const char* const sr3_config = R"({"image_size": 8, "in_channel": 4, "out_channel": 2, "inner_channel": 4,
  "norm_groups": 2, "channel_mults": [1, 2], "attn_res": [4], "res_blocks": 1})";

// Tensors of a file, and the memory that they lie in.
struct file_content {
  std::vector<std::pair<std::string, std::vector<std::size_t>>> names{};
  std::vector<std::vector<float>> values{};

  file_content(const source_layout& names_of, std::span<const float> flat, const std::string& prefix) {
    for (const parameter& p : names_of.tensors()) add(prefix + p.name, p.sizes, names_of.gather<float>(p, flat));
  }
  void add(const std::string& name, const std::vector<std::size_t>& sizes, std::vector<float> numbers) {
    names.emplace_back(name, sizes);
    values.push_back(std::move(numbers));
  }
  std::size_t at(const std::string& name) const {
    return static_cast<std::size_t>(
        std::find_if(names.begin(), names.end(), [&](const auto& n) { return n.first == name; }) - names.begin());
  }
  void erase(const std::string& name) {
    const auto k = static_cast<std::ptrdiff_t>(at(name));
    names.erase(names.begin() + k);
    values.erase(values.begin() + k);
  }
  void write(const std::filesystem::path& path) const {
    std::vector<named_tensor> tensors;
    for (std::size_t k = 0; k < names.size(); ++k) tensors.emplace_back(names[k].first, names[k].second, values[k]);
    write_safetensors(path, std::span<const named_tensor>{tensors});
  }
};

template <class Net>
bool same_parameters(const Net& a, const Net& b) {
  return std::equal(a.parameters().begin(), a.parameters().end(), b.parameters().begin(), b.parameters().end());
}

// The buffers of EDM's layers that resample, with these taps.
void add_filters(file_content& content, const std::string& prefix, const std::vector<float>& taps) {
  float sum = 0;
  for (const float tap : taps) sum += tap;
  std::vector<float> filter;
  for (const float a : taps)
    for (const float b : taps) filter.push_back(a * b / (sum * sum));
  for (const char* const layer : {"enc.4x4_down.conv0", "enc.4x4_down.skip", "enc.4x4_aux_residual", "dec.8x8_up.skip"})
    content.add(prefix + layer + ".resample_filter", {1, 1, taps.size(), taps.size()}, filter);
}

}  // namespace

TEST_CASE("rows of q, k and v are put in order as each library has them", "[nn]") {
  // Two heads of two channels: the number of each row of the file among the twelve of q, k and v.
  parameter_layout layout;
  for (const char* const of : {"a.to_q.bias", "a.to_k.bias", "a.to_v.bias"}) layout.add(of, {4}, 0, 1);
  const auto rows = [&](qkv_order order) {
    source_layout names{layout};
    names.add_heads("qkv", "a", 2, order);
    CHECK(names.unnamed() == 0);
    std::vector<float> numbers(12), placed(12);
    for (std::size_t i = 0; i < 12; ++i) numbers[i] = static_cast<float>(i);
    names.scatter<float>(names.tensors().at("qkv.bias"), numbers, placed);
    CHECK(names.gather<float>(names.tensors().at("qkv.bias"), placed) == numbers);
    return placed;
  };
  // q of head 0, q of head 1; then k, then v.
  CHECK(rows(qkv_order::head_qkv_channel) == std::vector<float>{0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11});
  CHECK(rows(qkv_order::qkv_head_channel) == std::vector<float>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  CHECK(rows(qkv_order::head_channel_qkv) == std::vector<float>{0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11});
}

TEST_CASE("a layout refuses names that are not its network's", "[nn]") {
  parameter_layout layout, other;
  layout.add("a.weight", {4, 3}, 0, 1);
  other.add("b.weight", {2}, 0, 1);
  source_layout names{layout};
  CHECK(refusal([&] { names.add("x", "b.weight"); }) ==
        "a parameter's name is b.weight, but it must be one of the network's");
  CHECK(names.unnamed() == 1);
  names.add("x", "a.weight");
  std::vector<float> numbers(12), placed(12);
  for (std::size_t i = 0; i < 12; ++i) numbers[i] = static_cast<float>(i);
  names.scatter<float>(names.tensors().at("x"), numbers, placed);
  CHECK(placed == numbers);
  CHECK(refusal([&] { names.gather<float>(other.at("b.weight"), placed); }) ==
        "a tensor's name is b.weight, but it must be one of those of `tensors`");
}

TEST_CASE("a network of guided-diffusion is read with both orders of q, k and v", "[nn]") {
  const temporary_folder folder;
  const auto settings = read_guided_diffusion_settings(folder.put("config.json", adm_config));
  CHECK(settings.channel_mult == std::vector<double>{0.5, 2});
  unet<step_index> net{unet_settings(settings)};
  net.initialize(3);
  CHECK(net.settings().block_out_channels == std::vector<std::size_t>{2, 8});
  CHECK(net.label_count() == 3);
  for (const bool is_new : {false, true}) {
    auto s = settings;
    s.use_new_attention_order = is_new;
    const source_layout names = guided_diffusion_names(s, net.layout());
    CHECK(names.unnamed() == 0);
    // qkv of guided-diffusion is a convolution of one dimension.
    file_content content{names, net.parameters(), ""};
    for (auto& [name, sizes] : content.names)
      if (name.ends_with("qkv.weight")) sizes.push_back(1);
    content.write(folder / "model.safetensors");
    CHECK(same_parameters(load_guided_diffusion(folder / "model.safetensors", s), net));
    // The other order fits too: the file does not show which it is.
    s.use_new_attention_order = !is_new;
    CHECK(!same_parameters(load_guided_diffusion(folder / "model.safetensors", s), net));
    if (!is_new) CHECK(same_parameters(load_guided_diffusion(folder.path()), net));
  }
}

TEST_CASE("a network of EDM is read with its buffers, and with a prefix or without", "[nn]") {
  const temporary_folder folder;
  const auto settings = read_edm_settings(folder.put("config.json", edm_config));
  unet<c_noise> net{unet_settings(settings)};
  net.initialize(3);
  const source_layout names = edm_names(settings, net.layout());
  CHECK(names.unnamed() == 0);
  for (const std::string prefix : {"", "model."}) {
    file_content content{names, net.parameters(), prefix};
    add_filters(content, prefix, {1, 3, 3, 1});
    content.write(folder / "model.safetensors");
    CHECK(same_parameters(load_edm(folder.path()), net));
    add_filters(content, prefix + "other.", {1, 1});
    content.write(folder / "model.safetensors");
    CHECK_THAT(refusal([&] { load_edm(folder.path()); }),
               ContainsSubstring("the filter " + prefix +
                                 "other.dec.8x8_up.skip.resample_filter is another one, but it "
                                 "must be that of the setting resample_filter"));
  }
}

TEST_CASE("a network of SR3 is read", "[nn]") {
  const temporary_folder folder;
  const auto settings = read_sr3_settings(folder.put("config.json", sr3_config));
  unet<noise_level> net{unet_settings(settings)};
  net.initialize(3);
  CHECK(net.image() == shape{1, 2, 8, 8});
  CHECK(net.beside().channels == 2);
  const source_layout names = sr3_names(settings, net.layout());
  CHECK(names.unnamed() == 0);
  file_content{names, net.parameters(), "denoise_fn."}.write(folder / "model.safetensors");
  CHECK(same_parameters(load_sr3(folder.path()), net));
}

TEST_CASE("damaged files of other libraries are refused in one sentence", "[nn]") {
  const temporary_folder folder;
  const auto settings = read_guided_diffusion_settings(folder.put("config.json", adm_config));
  unet<step_index> net{unet_settings(settings)};
  net.initialize(3);
  const source_layout names = guided_diffusion_names(settings, net.layout());
  const std::filesystem::path path = folder / "model.safetensors";
  const auto refused = [&](const std::function<void(file_content&)>& change) {
    file_content content{names, net.parameters(), ""};
    change(content);
    content.write(path);
    return refusal([&] { load_guided_diffusion(folder.path()); });
  };
  CHECK_THAT(refused([](file_content& c) { c.erase("middle_block.1.qkv.bias"); }),
             ContainsSubstring("model.safetensors: the weights are without middle_block.1.qkv.bias"));
  CHECK_THAT(refused([](file_content& c) { c.add("betas", {2}, {0, 1}); }),
             ContainsSubstring("the weights are with the unknown betas"));
  CHECK_THAT(refused([](file_content& c) { c.names[c.at("middle_block.1.qkv.weight")].second = {8, 24}; }),
             ContainsSubstring("with other shapes, middle_block.1.qkv.weight [8, 24] for [24, 8]"));
  CHECK_THAT(
      refused([](file_content& c) { c.values[c.at("out.2.bias")][1] = std::numeric_limits<float>::quiet_NaN(); }),
      ContainsSubstring("a number in the tensor out.2.bias is nan, but it must be finite"));
  // A config may claim any network; one that is larger than the file by far is refused before it has names.
  auto large = settings;
  large.model_channels = 64;
  CHECK_THAT(refusal([&] { load_guided_diffusion(path, large); }),
             ContainsSubstring("model.safetensors: the number of parameters of the network is ") &&
                 ContainsSubstring(", but it must be that of the numbers in the file, " +
                                   std::to_string(net.parameter_count())));
  // Cut short.
  file_content{names, net.parameters(), ""}.write(path);
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 5);
  refusal([&] { load_guided_diffusion(folder.path()); });
  std::filesystem::remove(path);
  CHECK_THAT(refusal([&] { load_guided_diffusion(folder.path()); }), ContainsSubstring("model.safetensors"));
}

TEST_CASE("settings of other libraries that contradict each other are refused with their file", "[nn]") {
  const temporary_folder folder;
  const auto config = [&](std::string text, const std::string& old, const std::string& now) {
    return folder.put("config.json", text.replace(text.find(old), old.size(), now)).string();
  };
  std::string path = config(adm_config, R"("num_heads": 2)", R"("num_heads": 3)");
  CHECK(refusal([&] { load_guided_diffusion(folder.path()); }) ==
        path + ": attention_heads is 3, but it must be a divisor of the channels of each level with attention, here 8");
  path = config(edm_config, R"([1, 3, 3, 1])", "[1, 1]");
  CHECK(refusal([&] { load_edm(folder.path()); }) ==
        path + ": resample_filter is [1, 1], but it must be [1, 3, 3, 1] where encoder_type is residual");
  path = config(sr3_config, R"("in_channel": 4)", R"("in_channel": 2)");
  CHECK(refusal([&] { load_sr3(folder.path()); }) ==
        path + ": in_channel is 2, but it must be above out_channel, for it counts both images");
}

TEST_CASE("settings of other libraries that are not supported are refused", "[nn]") {
  const temporary_folder folder;
  const auto adm = [&](const std::string& text) {
    const auto path = folder.put("config.json", text);
    return refusal([&] { read_guided_diffusion_settings(path); });
  };
  CHECK_THAT(adm("{}"), ContainsSubstring("config.json: model_channels is missing, but it must be at least 1"));
  CHECK_THAT(adm(R"({"model_channels": 8, "num_res_blocks": 1, "conv_resample": false})"),
             ContainsSubstring("conv_resample is false, but it must be true"));
  CHECK_THAT(adm(R"({"model_channels": 8, "num_res_blocks": 1, "channel_mult": ["1"]})"),
             ContainsSubstring("channel_mult is \"1\", but it must be a number"));
  CHECK_THAT(adm(R"({"model_channels": 8, "num_res_blocks": 1, "num_heads_upsample": 2})"),
             ContainsSubstring("num_heads_upsample is 2"));
  const auto edm = [&](const std::string& more) {
    const auto path =
        folder.put("config.json", R"({"img_resolution": 8, "in_channels": 3, "out_channels": 3)" + more + "}");
    return refusal([&] { read_edm_settings(path); });
  };
  CHECK_THAT(edm(R"(, "model_type": "DDPM")"),
             ContainsSubstring("model_type is \"DDPM\", but it must be SongUNet or DhariwalUNet"));
  CHECK_THAT(edm(R"(, "encoder_type": "skip")"),
             ContainsSubstring("encoder_type is \"skip\", but it must be standard or residual"));
  CHECK_THAT(edm(R"(, "decoder_type": "skip")"), ContainsSubstring("decoder_type is \"skip\""));
  CHECK_THAT(edm(R"(, "resample_filter": [1, 2, 1])"),
             ContainsSubstring("resample_filter is a list, but it must be [1, 1] or [1, 3, 3, 1]"));
  // Tables of diffusers' settings do not have those of the others.
  unet<c_noise> song{unet_settings(read_edm_settings(folder.put("config.json", edm_config)))};
  CHECK_THAT(refusal([&] { unet_config_text(song.settings()); }), ContainsSubstring("in a network for diffusers"));
}
