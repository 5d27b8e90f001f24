// Schedulers and pipelines of diffusers: their settings, chains and grids, and what is refused.
#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include <softscore/backend/serial.hpp>
#include <softscore/core/quantity.hpp>
#include <softscore/denoiser/diffusers_pipeline.hpp>
#include <softscore/denoiser/diffusers_scheduler.hpp>
#include <softscore/io/read_file.hpp>
#include <softscore/sampler/sample_pipeline.hpp>

#include "refusal.hpp"
#include "temporary_folder.hpp"

using namespace softscore;
using Catch::Matchers::ContainsSubstring;

namespace {

diffusers_scheduler read(const std::string& text) {
  const temporary_folder folder;
  return read_scheduler_config(folder.put("scheduler_config.json", text));
}

float abar(const diffusers_scheduler& s, std::size_t index) {
  return static_cast<float>(std::exp(s.table().log_abar(index + 1)));
}

unet_config small_config() {
  unet_config c;
  c.in_channels = c.out_channels = 1;
  c.height = c.width = 8;
  c.block_out_channels = {4, 8};
  c.down_blocks = {unet_block::plain, unet_block::plain};
  c.up_blocks = {unet_block::plain, unet_block::plain};
  c.layers_per_block = 1;
  c.norm_num_groups = 2;
  return c;
}

diffusers_pipeline small_pipeline(const diffusers_scheduler& scheduler) {
  unet_config c = small_config();
  c.chain_steps = scheduler.chain_steps();
  diffusers_pipeline all{unet<step_index>{c}, scheduler};
  all.network.initialize(3);
  return all;
}

}  // namespace

TEST_CASE("a scheduler of diffusers becomes a chain, a grid and a range", "[denoiser]") {
  const auto s = read(R"({"_class_name": "DDPMScheduler", "beta_schedule": "scaled_linear", "beta_start": 0.00085,
    "beta_end": 0.012, "num_train_timesteps": 10, "prediction_type": "v_prediction", "clip_sample": false,
    "timestep_spacing": "trailing", "variance_type": "fixed_large", "trained_betas": null, "of_the_future": [1]})");
  CHECK(s.kind == scheduler_kind::ddpm);
  CHECK(s.chain_steps() == 10);
  CHECK(s.table().beta(10) == Approx(0.012).epsilon(1e-5));
  CHECK(s.predicts == prediction::velocity);
  CHECK(!s.clipping);
  CHECK(s.variance == ancestral_variance::fixed_large);
  CHECK(s.grid(5).start() == diffusion_time{1.0});
  CHECK(s.grid(5).end() == diffusion_time{0.0});
  CHECK_REFUSED(require_prediction(s, prediction::epsilon), "prediction_type of the model is v_prediction");
  CHECK_REFUSED(s.grid(11), "steps is 11, but it must be at least 1 and at most those of the table");

  const auto plain = read("{}");
  CHECK(plain.chain_steps() == 1000);
  CHECK(plain.grid(5).start() == diffusion_time{0.801});  // index 800
  REQUIRE(plain.clipping);
  CHECK(plain.clipping->high == 1.0);
  CHECK(plain.pixels == pixel_scale{2.0f, -1.0f});
  const auto ddim = read(R"({"_class_name": "DDIMScheduler", "clip_sample_range": 2, "steps_offset": 1})");
  CHECK(ddim.kind == scheduler_kind::ddim);
  CHECK(ddim.clipping->low == -2.0);
  CHECK(ddim.grid(5).start() == diffusion_time{0.802});
  CHECK(read(R"({"_class_name": "DDIMParallelScheduler"})").kind == scheduler_kind::ddim);
  CHECK(read(R"({"timestep_spacing": "linspace"})").grid(5)[1].t == diffusion_time{0.750});  // index 749
  CHECK(read(R"({"trained_betas": [0.1, 0.2]})").table().beta(2) == Approx(0.2).epsilon(1e-6));
  // A threshold between 1 and 1 is the range [-1, 1].
  const auto cut = read(R"({"thresholding": true, "clip_sample": false})");
  CHECK(!cut.thresholding);
  CHECK(cut.clipping->high == 1.0);
  const auto dynamic = read(R"({"thresholding": true, "sample_max_value": 1.5, "dynamic_thresholding_ratio": 0.9})");
  CHECK(!dynamic.clipping);
  REQUIRE(dynamic.thresholding);
  CHECK(dynamic.thresholding->most == 1.5);
  CHECK(dynamic.thresholding->ratio == 0.9);
}

TEST_CASE("chains of diffusers have the float32 numbers of PyTorch", "[denoiser]") {
  // alphas_cumprod of DDPMScheduler in diffusers 0.42.1 at the indices 0, 499, 998 and 999.
  const auto check = [](const diffusers_scheduler& s, std::vector<float> theirs) {
    CHECK(abar(s, 0) == theirs[0]);
    CHECK(abar(s, 499) == theirs[1]);
    CHECK(abar(s, 998) == theirs[2]);
    CHECK(abar(s, 999) == theirs[3]);
  };
  diffusers_scheduler s;
  check(s, {9.999e-01f, 7.8587234e-02f, 4.1181942e-05f, 4.0358304e-05f});
  s.schedule = beta_rule::squaredcos_cap_v2;
  check(s, {9.999587e-01f, 4.9384347e-01f, 2.4287663e-06f, 2.428735e-09f});
  s.schedule = beta_rule::sigmoid;
  check(s, {9.998508e-01f, 3.01931e-01f, 4.0489624e-05f, 3.968182e-05f});
  s.schedule = beta_rule::scaled_linear;
  s.beta_start = 0.00085;
  s.beta_end = 0.012;
  check(s, {9.9915e-01f, 2.7766943e-01f, 4.7166958e-03f, 4.660095e-03f});
  // PyTorch rounds its roots otherwise: by one unit in 6e-8, and near the end by one of the difference of two roots of
  // 6e-3, where 7e-5 is left.
  diffusers_scheduler without_signal;
  without_signal.rescale_betas_zero_snr = true;
  CHECK(abar(without_signal, 0) == Approx(9.999e-01).epsilon(1e-7));
  CHECK(abar(without_signal, 499) == Approx(7.602873e-02).epsilon(1e-6));
  CHECK(abar(without_signal, 998) == Approx(4.2132733e-09).epsilon(1e-4));
  CHECK(abar(without_signal, 999) == 0.0f);
}

TEST_CASE("a scheduler comes back from its file", "[denoiser]") {
  const auto check = [](const diffusers_scheduler& s) {
    const temporary_folder folder;
    save_diffusers_scheduler(folder / "scheduler", s);
    const auto again = load_diffusers_scheduler(folder.path());
    CHECK(scheduler_config_text(again) == scheduler_config_text(s));
    CHECK(again.kind == s.kind);
    CHECK(again.predicts == s.predicts);
    CHECK(again.spacing == s.spacing);
    CHECK(again.steps_offset == s.steps_offset);
    CHECK(again.variance == s.variance);
    CHECK(again.clipping.has_value() == s.clipping.has_value());
    CHECK(again.thresholding.has_value() == s.thresholding.has_value());
    REQUIRE(again.chain_steps() == s.chain_steps());
    for (std::size_t i = 0; i <= s.chain_steps(); ++i) CHECK(again.table().log_abar(i) == s.table().log_abar(i));
  };
  check({});
  check({.kind = scheduler_kind::ddim,
         .schedule = beta_rule::scaled_linear,
         .num_train_timesteps = 7,
         .beta_start = 1.0 / 3000,
         .beta_end = 1.0 / 70,
         .rescale_betas_zero_snr = true,
         .predicts = prediction::velocity,
         .clipping = pixel_range{-1.5, 1.5},
         .spacing = timestep_spacing::trailing});
  check({.schedule = beta_rule::trained,
         .trained_betas = {0.1, 1.0 / 3, 0.0},
         .predicts = prediction::clean,
         .clipping = {},
         .thresholding = percentile_clipping{.ratio = 0.9, .most = 3.0},
         .variance = ancestral_variance::fixed_large,
         .spacing = timestep_spacing::linspace,
         .steps_offset = 1});
  CHECK_REFUSED(scheduler_config_text({.predicts = prediction::score}), "predicts is something else");
  CHECK_REFUSED(scheduler_config_text({.clipping = pixel_range{0.0, 1.0}}), "minus the upper end");
  CHECK_REFUSED(scheduler_config_text({.schedule = beta_rule::trained}), "num_train_timesteps is 0");
  CHECK_REFUSED(scheduler_config_text({.beta_end = 2.0}), "beta_end is 2, but it must be above 0 and below 1");
}

TEST_CASE("a scheduler_config.json that cannot be is refused by its file and key", "[denoiser]") {
  const auto refused = [](const std::string& text, const std::string& part) {
    const std::string sentence = refusal([&] { read(text); });
    CHECK_THAT(sentence, ContainsSubstring("scheduler_config.json: "));
    CHECK_THAT(sentence, ContainsSubstring(part));
  };
  refused(R"({"_class_name": "EulerDiscreteScheduler"})", "_class_name is \"EulerDiscreteScheduler\"");
  refused(R"({"_class_name": "EulerDiscreteScheduler"})", "DDIMScheduler.from_config");
  refused(R"({"beta_schedule": "exp"})", "beta_schedule is \"exp\"");
  refused(R"({"beta_schedule": "sigmoid", "_class_name": "DDIMScheduler"})", "in a DDIMScheduler");
  refused(R"({"beta_schedule": "sigmoid", "num_train_timesteps": 1})", "num_train_timesteps is 1");
  refused(R"({"beta_start": 0})", "beta_start is 0, but it must be above 0 and below 1");
  refused(R"({"beta_end": 1e400})", "too large for double precision at byte 13");
  refused(R"({"beta_end": 1e300})", "beta_end is 1e300, but it must be above 0 and below 1");
  refused(R"({"beta_end": "0.02"})", "beta_end is \"0.02\", but it must be a number");
  refused(R"({"num_train_timesteps": 0})", "num_train_timesteps is 0, but it must be between 1 and 1000000");
  refused(R"({"num_train_timesteps": 1e12})", "between 1 and 1000000");
  refused(R"({"num_train_timesteps": 10.5})", "num_train_timesteps is 10.5");
  refused(R"({"num_train_timesteps": 1000000})", "the signal at index");
  refused(R"({"trained_betas": []})", "trained_betas is a list");
  refused(R"({"trained_betas": [0.1, 1]})", "a list of numbers of at least 0 and below 1");
  refused(R"({"trained_betas": 0.1})", "trained_betas is 0.1");
  refused(R"({"trained_betas": [0.1, [0.2]]})", "trained_betas");
  refused(R"({"trained_betas": [0.1], "num_train_timesteps": 2})",
          "num_train_timesteps is 2, but it must be the number");
  refused(R"({"rescale_betas_zero_snr": true, "num_train_timesteps": 1})", "rescale_betas_zero_snr is true");
  refused(R"({"prediction_type": 3})", "prediction_type is 3");
  refused(R"({"prediction_type": "flow"})", "epsilon, sample or v_prediction");
  refused(R"({"clip_sample": 1})", "clip_sample is 1, but it must be true or false");
  refused(R"({"clip_sample_range": -1})", "clip_sample_range is -1, but it must be above 0");
  refused(R"({"thresholding": true, "sample_max_value": 0.5})", "sample_max_value is 0.5, but it must be at least 1");
  refused(R"({"thresholding": true, "dynamic_thresholding_ratio": 99.5})", "dynamic_thresholding_ratio is 99.5");
  refused(R"({"thresholding": true, "sample_max_value": 2, "_class_name": "DDIMScheduler"})", "thresholding is true");
  refused(R"({"timestep_spacing": "karras"})", "leading, linspace or trailing");
  refused(R"({"steps_offset": 1000})", "steps_offset is 1000, but it must be below the number of steps");
  refused(R"({"steps_offset": -1})", "steps_offset is -1");
  refused(R"({"variance_type": "learned_range"})", "variance_type is \"learned_range\"");
  refused(R"({"_class_name": "DDIMScheduler", "set_alpha_to_one": false})", "set_alpha_to_one is false");
  refused(R"({"beta_start": 0.1, "beta_start": 0.2})", "there twice");
  refused("", "broken at byte 0");
  refused(R"({"beta_start": 0.1)", "broken at byte");
  refused("[]", "a JSON object");
  const temporary_folder empty;
  CHECK_REFUSED(load_diffusers_scheduler(empty.path()), "scheduler_config.json");
}

TEST_CASE("a pipeline comes back from its folder with the same bits", "[denoiser]") {
  const temporary_folder folder;
  const diffusers_scheduler scheduler{.kind = scheduler_kind::ddim, .num_train_timesteps = 50};
  const auto made = small_pipeline(scheduler);
  save_diffusers(folder.path(), made.network, made.scheduler);
  const auto again = load_diffusers_pipeline(folder.path());
  CHECK(std::ranges::equal(again.network.parameters(), made.network.parameters()));
  CHECK(unet_config_text(again.network.settings()) == unet_config_text(made.network.settings()));
  CHECK(scheduler_config_text(again.scheduler) == scheduler_config_text(scheduler));
  CHECK(again.network.steps() == 50);
  const auto bytes = read_file(folder / "model_index.json");
  CHECK(std::string(bytes.begin(), bytes.end()) ==
        "{\n  \"_class_name\": \"DDIMPipeline\",\n  \"scheduler\": [\n    \"diffusers\",\n    \"DDIMScheduler\"\n  ],\n"
        "  \"unet\": [\n    \"diffusers\",\n    \"UNet2DModel\"\n  ]\n}\n");
  const std::vector<float> average(made.network.parameter_count(), 0.25f);
  save_diffusers(folder.path(), made.network, made.scheduler, average, saved_weights::average);
  CHECK(load_diffusers_pipeline(folder.path()).network.parameters()[3] == 0.25f);
  CHECK(safetensors_file{folder / "unet/diffusion_pytorch_model.safetensors"}.metadata("weights") == "average");

  // A file cut short, and one that is missing.
  const auto weights = folder / "unet/diffusion_pytorch_model.safetensors";
  std::filesystem::resize_file(weights, std::filesystem::file_size(weights) - 4);
  CHECK_REFUSED(load_diffusers_pipeline(folder.path()), "diffusion_pytorch_model.safetensors");
  std::filesystem::remove(weights);
  CHECK_REFUSED(load_diffusers_pipeline(folder.path()), "diffusion_pytorch_model.safetensors cannot be");
  std::filesystem::remove(folder / "scheduler/scheduler_config.json");
  CHECK_REFUSED(load_diffusers_pipeline(folder.path()), "scheduler_config.json cannot be");
}

TEST_CASE("a pipeline that diffusers could not use is refused before a file is written", "[denoiser]") {
  const temporary_folder folder;
  const auto refused = [&](const unet_config& c, const diffusers_scheduler& s, const char* part) {
    const unet<step_index> net{c};
    CHECK_REFUSED(save_diffusers(folder.path(), net, s), part);
    CHECK(folder.entries() == 0);
  };
  unet_config c = small_config();
  refused(c, {.num_train_timesteps = 10}, "steps of the scheduler's chain is 10, but it must be that of the network");
  refused(c, {.predicts = prediction::residual}, "predicts is something else");
  c.height = c.width = 0;
  refused(c, {}, "a pipeline draws images of that size");
  c = small_config();
  c.in_channels = 3;
  c.class_planes = 2;
  c.class_plane_count = 4;
  refused(c, {}, "class_planes is 2");
}

TEST_CASE("a pipeline draws with the sampler, the prediction and the clipping of its scheduler", "[sampler]") {
  serial_backend be;
  const sample_options two{.images = 2, .seed = 4};
  const auto same = [&](const diffusers_scheduler& s, double eta, const auto& sampler, const auto& denoiser_of) {
    const auto ours = sample_pipeline(be, small_pipeline(s), 3, two, eta);
    sample_options scaled = two;
    scaled.pixels = s.pixels;
    const auto by_hand = sample(be, sampler, s.noising(), denoiser_of(small_pipeline(s).network), s.grid(3), scaled);
    CHECK(std::ranges::equal(ours.images, by_hand.images));
    CHECK(std::ranges::all_of(ours.images, [](float x) { return x >= 0.0f && x <= 1.0f; }));
    CHECK(std::ranges::any_of(ours.images, [](float x) { return x > 0.0f && x < 1.0f; }));
  };
  const diffusers_scheduler plain{.num_train_timesteps = 20};
  same(plain, 0.0, ddpm{ancestral_variance::fixed_small},
       [&](auto net) { return static_thresholding{epsilon_denoiser{std::move(net), plain.noising()}}; });
  diffusers_scheduler ddim_of_v = plain;
  ddim_of_v.kind = scheduler_kind::ddim;
  ddim_of_v.predicts = prediction::velocity;
  same(ddim_of_v, 0.5, clipped_ddim{0.5},
       [&](auto net) { return velocity_denoiser{std::move(net), ddim_of_v.noising()}; });
  ddim_of_v.clipping.reset();
  ddim_of_v.predicts = prediction::clean;
  same(ddim_of_v, 0.0, ddim{}, [](auto net) { return clean_denoiser{std::move(net)}; });
  diffusers_scheduler dynamic = plain;
  dynamic.clipping.reset();
  dynamic.thresholding = percentile_clipping{.ratio = 0.9, .most = 2.0};
  dynamic.variance = ancestral_variance::fixed_large;
  same(dynamic, 0.0, ddpm{}, [&](auto net) {
    return dynamic_thresholding{epsilon_denoiser{std::move(net), dynamic.noising()}, 90.0, pixel_range{}, 2.0};
  });
  CHECK_REFUSED(sample_pipeline(be, small_pipeline(plain), 3, two, 0.5), "eta is 0.5, but it must be 0");
  CHECK_REFUSED(sample_pipeline(be, small_pipeline(plain), 21, two), "steps is 21");
  diffusers_scheduler of_score = plain;
  of_score.predicts = prediction::score;
  CHECK_REFUSED(sample_pipeline(be, small_pipeline(of_score), 3, two), "epsilon, sample or v_prediction");
}
