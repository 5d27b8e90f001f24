#include "catch.hpp"

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <softscore/core/quantity.hpp>
#include <softscore/io/half.hpp>
#include <softscore/nn/diffusers.hpp>

#include "refusal.hpp"
#include "temporary_folder.hpp"

using namespace softscore;

namespace {

unet_config small_config() {
  unet_config c;
  c.in_channels = c.out_channels = 2;
  c.height = 8;
  c.width = 12;
  c.block_out_channels = {8, 8};
  c.down_blocks = {unet_block::skip, unet_block::attention};
  c.up_blocks = {unet_block::resnet, unet_block::plain};
  c.layers_per_block = 1;
  c.attention_head_dim = std::nullopt;
  c.norm_num_groups = 4;
  c.norm_eps = 1e-6;
  c.downsample_padding = 0;
  c.upsample_type = unet_sampler::resnet;
  c.dropout = 0.125;
  c.class_embedding = unet_class::table;
  c.num_class_embeds = 3;
  return c;
}

// A folder with that config.json and nothing else.
std::string refusal_of_config(const temporary_folder& folder, const std::string& text) {
  folder.put("config.json", text);
  return refusal([&] { read_unet_config(folder / "config.json"); });
}

// A network's folder, some of whose tensors were left out, added or reshaped by `change`.
template <class Change>
void save_changed(const std::filesystem::path& folder, const unet<step_index>& net, const Change& change) {
  save_diffusers(folder, net);
  std::vector<named_tensor> tensors;
  for (const parameter& p : net.layout())
    tensors.emplace_back(p.name, p.sizes, net.parameters().subspan(p.offset, p.size()));
  change(tensors);
  write_safetensors(folder / "diffusion_pytorch_model.safetensors", std::span<const named_tensor>{tensors});
}

}  // namespace

TEST_CASE("a network comes back from a folder with the same settings and bits", "[nn]") {
  const temporary_folder folder;
  unet<step_index> net{small_config()};
  net.initialize(5);
  save_diffusers(folder.path(), net);
  const auto again = load_diffusers(folder.path());
  CHECK(unet_config_text(again.settings()) == unet_config_text(net.settings()));
  CHECK(again.image() == shape{1, 2, 8, 12});
  CHECK(again.settings().down_blocks == net.settings().down_blocks);
  CHECK(again.settings().norm_eps == 1e-6);
  CHECK(!again.settings().attention_head_dim);
  CHECK(std::equal(again.parameters().begin(), again.parameters().end(), net.parameters().begin(),
                   net.parameters().end()));
  const safetensors_file file{folder / "diffusion_pytorch_model.safetensors"};
  CHECK(file.metadata("format") == "pt");
  CHECK(file.metadata("weights") == "last");
  const std::vector<float> average(net.parameter_count(), 0.5f);
  save_diffusers(folder.path(), net, average, saved_weights::average);
  CHECK(safetensors_file{folder / "diffusion_pytorch_model.safetensors"}.metadata("weights") == "average");
  CHECK(load_diffusers(folder.path()).parameters()[7] == 0.5f);
  CHECK(refusal([&] { load_diffusers<sigma>(folder.path()); }).find("time_embedding_type is positional") !=
        std::string::npos);
}

TEST_CASE("settings come back from a text as from a file, and a fault names where it is from", "[nn]") {
  unet_config settings;
  settings.block_out_channels = {8, 16, 16, 24};
  settings.norm_num_groups = 4;
  settings.class_embedding = unet_class::table;
  settings.num_class_embeds = 3;
  const std::string text = unet_config_text(settings);
  CHECK(unet_config_text(read_unet_config(parse_json_settings(text, "here"))) == text);
  CHECK_THROWS_WITH(read_unet_config(parse_json_settings("{\"in_channels\": true}", "here")),
                    "here: in_channels is true, but it must be a number");
  CHECK_THROWS_WITH(parse_json_settings("[]", "here"), "here: the text is another value, but it must be a JSON object");
}

TEST_CASE("tensors that do not fit are listed, and passed over on request", "[nn]") {
  const temporary_folder folder;
  unet<step_index> net{small_config()};
  net.initialize(5);
  const std::vector<float> more(6, 2.0f);
  save_changed(folder.path(), net, [&](std::vector<named_tensor>& tensors) {
    for (named_tensor& t : tensors) {
      if (t.name == "conv_in.bias") t = named_tensor{t.name, {6}, more};
      if (t.name == "conv_out.bias") t.name = "conv_out.basis";
      // The names of 2022, and a dense layer as a convolution.
      if (t.name == "mid_block.attentions.0.to_q.weight") {
        t.name = "mid_block.attentions.0.query.weight";
        t.extent = {8, 8, 1, 1};
      }
    }
  });
  CHECK(
      refusal([&] { load_diffusers(folder.path()); })
          .find(
              "the weights are without conv_out.bias; with the unknown conv_out.basis; with other shapes, conv_in.bias "
              "[6] for [8]: ") != std::string::npos);
  weights_fit fit;
  const auto partial = load_diffusers(folder.path(), {.partial = true, .seed = 9, .fit = &fit});
  CHECK(fit.missing == std::vector<std::string>{"conv_out.bias"});
  CHECK(fit.surplus == std::vector<std::string>{"conv_out.basis"});
  CHECK(fit.mismatched.size() == 1);
  unet<step_index> fresh{small_config()};
  fresh.initialize(9);
  for (const parameter& p : net.layout()) {
    const bool kept = p.name == "conv_out.bias" || p.name == "conv_in.bias";
    CHECK(partial.parameters()[p.offset] == (kept ? fresh : net).parameters()[p.offset]);
  }
}

TEST_CASE("an array under its old name and its present one is surplus, and numbers are finite", "[nn]") {
  const temporary_folder folder;
  unet<step_index> net{small_config()};
  net.initialize(5);
  const std::vector<float> more(64, 2.0f);
  save_changed(folder.path(), net, [&](std::vector<named_tensor>& tensors) {
    tensors.emplace_back("mid_block.attentions.0.query.weight", std::vector<std::size_t>{8, 8}, more);
  });
  weights_fit fit;
  static_cast<void>(load_diffusers(folder.path(), {.partial = true, .seed = 9, .fit = &fit}));
  CHECK(fit.surplus.size() == 1);
  CHECK(refusal([&] { load_diffusers(folder.path()); }).find("with the unknown mid_block.attentions.0.") !=
        std::string::npos);
  const parameter& first = *net.layout().begin();
  const std::vector<float> bad(first.size(), std::nanf(""));
  save_changed(folder.path(), net, [&](std::vector<named_tensor>& tensors) {
    tensors.front() = named_tensor{first.name, first.sizes, bad};
  });
  CHECK_REFUSED(load_diffusers(folder.path()),
                "a number in the tensor " + first.name + " is nan, but it must be finite");
}

TEST_CASE("weights that are not finite are not written", "[nn]") {
  const temporary_folder folder;
  unet<step_index> net{small_config()};
  net.initialize(5);
  const auto at = std::next(net.layout().begin(), 3);
  std::vector<float> values(net.parameters().begin(), net.parameters().end());
  values[at->offset + at->size() - 1] = -std::numeric_limits<float>::infinity();
  CHECK_REFUSED(save_diffusers(folder / "new", net, values, saved_weights::average),
                "a number in the array " + at->name + " is -inf, but it must be finite");
  CHECK_FALSE(std::filesystem::exists(folder / "new"));
}

TEST_CASE("a config that asks for more than the file has is refused before there is memory for it", "[nn]") {
  const temporary_folder folder;
  const unet<step_index> net{small_config()};
  save_diffusers(folder.path(), net);
  unet_config absurd = small_config();
  absurd.block_out_channels = {65536, 65536};
  absurd.attention_head_dim = 8;
  folder.put("config.json", unet_config_text(absurd));
  // Terabytes, as float32.
  const std::size_t bytes = 4 * unet<step_index>::layout_of(absurd).count();
  REQUIRE(bytes > std::size_t{1} << 40);
  const std::string sentence = refusal([&] { load_diffusers(folder.path()); });
  CHECK_THAT(sentence, Catch::Matchers::ContainsSubstring(": " + std::to_string(4 * net.parameter_count()) +
                                                          " bytes in memory, where the network has " +
                                                          std::to_string(bytes) + " bytes, but they must be those of"));
  // The arrays of 3 numbers fit, so that a partial load asks for the memory.
  CHECK_THAT(
      refusal([&] { load_diffusers(folder.path(), {.partial = true}); }),
      Catch::Matchers::ContainsSubstring(std::to_string(bytes) + " bytes, but it must be no more than can be had"));
  const std::vector<float> other(5, 1.0f);
  const std::array tensors{named_tensor{"conv_in.bias", {5}, other}};
  write_safetensors(folder / "diffusion_pytorch_model.safetensors", std::span<const named_tensor>{tensors});
  weights_fit fit;
  CHECK_THAT(refusal([&] { load_diffusers(folder.path(), {.partial = true, .fit = &fit}); }),
             Catch::Matchers::EndsWith("no tensor fits the network that config.json describes, but at least one must"));
  CHECK(fit.mismatched == std::vector<std::string>{"conv_in.bias [5] for [65536]"});
}

TEST_CASE("a scheduler without steps is refused by its file", "[nn]") {
  const temporary_folder folder;
  unet<step_index> net{small_config()};
  save_diffusers(folder.path(), net);
  folder.put("scheduler_config.json", R"({"num_train_timesteps": 0})");
  CHECK(refusal([&] {
          load_diffusers(folder.path());
        }).find("scheduler_config.json: num_train_timesteps is 0, but it must be at least 1") != std::string::npos);
}

TEST_CASE("folders that are not one safetensors file are refused with advice", "[nn]") {
  unet<step_index> net{small_config()};
  for (const char* name : {"diffusion_pytorch_model.bin", "diffusion_pytorch_model.safetensors.index.json"}) {
    const temporary_folder folder;
    folder.put("config.json", unet_config_text(net.settings()));
    folder.put(name, "{}");
    const std::string sentence = refusal([&] { load_diffusers(folder.path()); });
    CHECK(sentence.find("save_pretrained(") != std::string::npos);
    CHECK(sentence.find(std::string{name}.ends_with(".bin") ? "pickled" : "split") != std::string::npos);
  }
}

TEST_CASE("a config.json that cannot be is refused by its key", "[nn]") {
  const temporary_folder folder;
  const auto holds = [&](const std::string& text, const char* part) {
    CHECK_THAT(refusal_of_config(folder, text), Catch::Matchers::ContainsSubstring(part));
  };
  holds(R"({"down_block_types": ["CrossAttnDownBlock2D"]})",
        "down_block_types is CrossAttnDownBlock2D, but it must be");
  holds(R"({"norm_eps": "small"})", "norm_eps is \"small\", but it must be a number");
  holds(R"({"in_channels": 3.5})", "in_channels is 3.5, but it must be a whole number");
  holds(R"({"in_channels": 0})", "in_channels is 0");
  holds(R"({"block_out_channels": [1000000000, 8, 8, 8]})", "between 1 and 65536");
  holds(R"({"block_out_channels": [8]})", "the number of down_block_types is 4");
  holds(R"({"act_fn": "mish"})", "act_fn is \"mish\", but it must be silu");
  holds(R"({"_class_name": "UNet2DConditionModel"})", "UNet2DModel");
  holds(R"({"norm_eps": 1e-5, "norm_eps": 1e-6})", "there twice");
  holds(R"([1])", "a JSON object");
  holds(R"({"class_embed_type": "projection"})", "timestep or identity");
  holds(R"({"freq_shift": 200})", "freq_shift");
  // What UNet2DModel does not know, objects and lists in lists are passed over.
  folder.put("config.json", R"({"use_ema_warmup": false, "more": {"norm_eps": 3}, "lists": [[1, {"a": 2}], 3]})");
  CHECK(read_unet_config(folder / "config.json").norm_eps == 1e-5);
}

TEST_CASE("a network whose last row stands for no label is not written for diffusers, which would lose it", "[nn]") {
  unet_config config = small_config();
  config.class_embedding = unet_class::table;
  config.num_class_embeds = 11;
  config.no_label = null_class::last_row;
  const temporary_folder folder;
  unet<step_index> net{config};
  net.initialize(5);
  CHECK_REFUSED(save_diffusers(folder.path(), net), "no_label is last_row, but it must be zero");
}

TEST_CASE("narrow numbers are widened exactly", "[io]") {
  CHECK(detail::widened_float16(0x3C00) == 1.0f);
  CHECK(detail::widened_float16(0xC000) == -2.0f);
  CHECK(detail::widened_float16(0x7BFF) == 65504.0f);
  CHECK(detail::widened_float16(0x0001) == 0x1p-24f);
  CHECK(detail::widened_float16(0x83FF) == -1023 * 0x1p-24f);
  CHECK(std::signbit(detail::widened_float16(0x8000)));
  CHECK(std::isinf(detail::widened_float16(0xFC00)));
  CHECK(std::isnan(detail::widened_float16(0x7E00)));
  CHECK(detail::widened_bfloat16(0x3F80) == 1.0f);
  CHECK(detail::widened_bfloat16(0xC049) == -3.140625f);
}
