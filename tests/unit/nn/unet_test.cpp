#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <softscore/backend/serial.hpp>
#include <softscore/backend/tbb.hpp>
#include <softscore/nn/unet.hpp>

#include "heap.hpp"
#include "refusal.hpp"
#include "slope.hpp"

using namespace softscore;

namespace {

// The U-Net of Ho et al. 2020, Dhariwal and Nichol 2021 and Song et al. 2021, with the embeddings of Vaswani et al.
// 2017 and Tancik et al. 2020 and first values by Glorot and Bengio 2010 and Karras et al. 2022. Numbers of diffusers
// itself are compared in golden/golden_unet.cpp.

// Small, with most of what a U-Net can have: three kinds of levels, attention of several heads, labels, dropout.
unet_config small_config() {
  unet_config c;
  c.in_channels = c.out_channels = 2;
  c.height = c.width = 8;
  c.block_out_channels = {4, 8};
  c.down_blocks = {unet_block::resnet, unet_block::attention};
  c.up_blocks = {unet_block::attention, unet_block::plain};
  c.layers_per_block = 1;
  c.attention_head_dim = 4;
  c.norm_num_groups = 2;
  c.attn_norm_num_groups = 4;
  c.scale_shift = true;
  c.mid_block_scale_factor = 1.3;
  c.dropout = 0.2;
  c.class_embedding = unet_class::table;
  c.num_class_embeds = 5;
  return c;
}

const std::vector<class_label> some_labels{3, no_class, 0};

// A network with its parameters and a batch in a backend.
template <class Be, class T>
struct trial {
  Be& be;
  unet<step_index> net;
  shape in, out_shape;
  std::vector<step_index> times;
  std::vector<class_label> labels;
  std::optional<dropout_draw> dropout{dropout_draw{5, 7, 2}};
  array_of<Be, T> params, x, dout, out, dx, gradients;
  typename unet<step_index>::memory<Be, T> ws;

  trial(Be& backend, const unet_config& config, const shape& s, std::vector<class_label> classes = some_labels)
      : be{backend},
        net{config},
        in{s},
        out_shape{net.output(s)},
        labels{std::move(classes)},
        params{be.template make<T>({1, 1, 1, net.parameter_count()})},
        x{be.template make<T>(s)},
        dout{be.template make<T>(out_shape)},
        out{be.template make<T>(out_shape)},
        dx{be.template make<T>(s)},
        gradients{be.template make<T>({1, 1, 1, net.parameter_count()})},
        ws{net.template workspace<T>(be, s)} {
    net.initialize(7);
    // Norms are moved off 1 and 0, which would hide a swap.
    auto changing = net.mutable_parameters();
    const auto moves = normal_numbers(net.parameter_count(), 11);
    for (std::size_t i = 0; i < changing.size(); ++i) changing[i] += static_cast<float>(0.1 * moves[i]);
    set(params, {net.parameters().begin(), net.parameters().end()});
    set(x, normal_numbers(s.size(), 12));
    set(dout, normal_numbers(out_shape.size(), 13));
    for (std::size_t n = 0; n < s.images; ++n) times.push_back({static_cast<double>(3 + 200 * n)});
  }

  network_input<step_index> input() const {
    return {per_image<step_index>{std::span<const step_index>{times}}, conditioning{.labels = labels}, dropout};
  }
  void set(array_of<Be, T>& to, const std::vector<double>& values) {
    const std::vector<T> converted(values.begin(), values.end());
    be.upload(converted.data(), to.view());
  }
  std::vector<T> get(array_of<Be, T>& from) {
    std::vector<T> host(from.view().size());
    be.download(from.view(), host.data());
    return host;
  }
  void forward() { net.forward(be, params.view(), input(), x.view(), out.view(), ws); }
  void backward() { net.backward(be, params.view(), dout.view(), dx.view(), gradients.view(), ws); }
  double loss() {
    forward();
    const auto o = get(out), d = get(dout);
    double sum = 0;
    for (std::size_t i = 0; i < o.size(); ++i) sum += static_cast<double>(o[i]) * static_cast<double>(d[i]);
    return sum;
  }
};

unet_config skip_config() {
  unet_config c = small_config();
  c.block_out_channels = {8, 8};
  c.down_blocks = {unet_block::skip, unet_block::attention_skip};
  c.up_blocks = {unet_block::attention_skip, unet_block::skip};
  c.out_channels = 3;  // the picture of skip blocks has three channels
  c.attention_head_dim = std::nullopt;
  c.scale_shift = false;
  c.center_input_sample = true;
  c.norm_num_groups = 8;
  // Attention of skip blocks has 32 groups.
  c.down_blocks.back() = unet_block::skip;
  c.up_blocks.front() = unet_block::skip;
  return c;
}

unet_config plane_config() {
  unet_config c = small_config();
  c.in_channels = 5;
  c.class_planes = 3;
  c.class_plane_count = 5;
  c.class_embedding = unet_class::none;
  c.mid_block = false;
  c.time_embedding = unet_time::learned;
  c.num_train_timesteps = 500;
  return c;
}

}  // namespace

TEMPLATE_TEST_CASE("gradients of a whole U-Net are those of central differences", "[nn]", serial_backend, tbb_backend) {
  TestType be;
  for (const unet_config& config : {small_config(), skip_config(), plane_config()}) {
    trial<TestType, double> t{be, config, {3, 2, 8, 8}};
    t.loss();
    t.backward();
    const auto params = t.get(t.params), gradients = t.get(t.gradients), x = t.get(t.x), dx = t.get(t.dx);
    CHECK(slope_error(
              [&](const std::vector<double>& at) {
                t.set(t.params, at);
                return t.loss();
              },
              params, gradients) < 1e-7);
    t.set(t.params, params);
    CHECK(slope_error(
              [&](const std::vector<double>& at) {
                t.set(t.x, at);
                return t.loss();
              },
              x, dx) < 1e-7);
  }
}

TEST_CASE("a U-Net that recomputes its blocks gives the same bits from less memory", "[nn]") {
  tbb_backend be{2};
  unet_config config = small_config();
  trial<tbb_backend, float> keeps{be, config, {3, 2, 8, 16}};
  config.recompute = true;
  trial<tbb_backend, float> again{be, config, {3, 2, 8, 16}};
  CHECK(keeps.loss() == again.loss());
  keeps.backward();
  again.backward();
  CHECK(keeps.get(keeps.gradients) == again.get(again.gradients));
  CHECK(keeps.get(keeps.dx) == again.get(again.dx));
  CHECK(again.ws.elements() < keeps.ws.elements());
}

TEST_CASE("a step of a U-Net allocates nothing", "[nn]") {
  const auto counted = [](auto& be) {
    using Be = std::remove_reference_t<decltype(be)>;
    trial<Be, float> t{be, small_config(), {3, 2, 8, 8}};
    const auto input = t.input();
    const auto step = [&] {
      t.net.forward(be, t.params.view(), input, t.x.view(), t.out.view(), t.ws);
      t.backward();
    };
    step();
    return heap::allocations(step);
  };
  serial_backend serial;
  CHECK(counted(serial) == 0);
  tbb_backend tbb{2};
  counted(tbb);  // oneTBB starts its threads
  CHECK(counted(tbb) == 0);
}

TEST_CASE("images of a U-Net do not depend on their batch", "[nn]") {
  tbb_backend be{2};
  trial<tbb_backend, float> whole{be, small_config(), {3, 2, 8, 8}}, one{be, small_config(), {1, 2, 8, 8}, {0}};
  whole.forward();
  one.times = {whole.times[2]};
  one.dropout->first_image = 4;
  const auto images = whole.get(whole.x);
  one.set(one.x, {images.begin() + 2 * 128, images.end()});
  one.forward();
  const auto all = whole.get(whole.out);
  CHECK(std::equal(all.begin() + 2 * 128, all.end(), one.get(one.out).begin()));
  // Evaluation with the network's own parameters does not drop anything unless asked to.
  whole.dropout.reset();
  whole.forward();
  const auto undropped = whole.get(whole.out);
  CHECK(undropped != all);
  auto out = be.make<float>(whole.out_shape);
  whole.net.evaluate(be, whole.input(), whole.x.view(), out.view(), whole.ws);
  CHECK(whole.get(out) == undropped);
}

TEST_CASE("an image without a label has a zero vector, or the last row of the table", "[nn]") {
  serial_backend be;
  for (const null_class kind : {null_class::zero, null_class::last_row}) {
    unet_config config = small_config();
    config.no_label = kind;
    trial<serial_backend, double> t{be, config, {1, 2, 8, 8}, {no_class}};
    CHECK(t.net.label_count() == (kind == null_class::zero ? 5u : 4u));
    t.forward();
    const auto none = t.get(t.out);
    t.labels.clear();  // the same as no class for all
    t.forward();
    CHECK(t.get(t.out) == none);
    t.labels = {1};
    t.forward();
    CHECK(t.get(t.out) != none);
    // The row that stands for no label is that of label 1 when they hold the same numbers.
    auto values = t.get(t.params);
    const parameter& table = t.net.layout().at("class_embedding.weight");
    const std::size_t width = table.sizes[1];
    for (std::size_t e = 0; e < width; ++e)
      values[table.offset + width + e] = kind == null_class::zero ? 0 : values[table.offset + 4 * width + e];
    t.set(t.params, values);
    t.forward();
    CHECK(t.get(t.out) == none);
  }
}

TEST_CASE("a U-Net refuses sizes, labels and times that it cannot take", "[nn]") {
  serial_backend be;
  const unet<step_index> net{small_config()};
  CHECK(refusal([&] { net.workspace<float>(be, {1, 2, 7, 8}); }) ==
        "the size of a U-Net's images is 1 x 2 x 7 x 8, but it must be a multiple of 2 pixels high and wide, for its 2 "
        "levels");
  CHECK(refusal([&] { net.workspace<float>(be, {1, 3, 8, 8}); }) ==
        "the network's input is 1 x 3 x 8 x 8, but it must be one or more images of 2 channels");
  unet_config wrong = small_config();
  wrong.norm_num_groups = 3;
  CHECK(refusal([&] { unet<step_index>{wrong}; }) ==
        "the number of groups of down_blocks.0.resnets.0.norm1 is 3, but it must be a divisor of its number of "
        "channels, 4");
  wrong = small_config();
  wrong.time_embedding = unet_time::fourier;
  CHECK(refusal([&] { unet<step_index>{wrong}; }).find("time_embedding is fourier") == 0);

  trial<serial_backend, float> t{be, small_config(), {1, 2, 8, 8}, {5}};
  CHECK(refusal([&] { t.forward(); }) == "a label is 5, but it must be between 0 and 4, or -1 for no class");
  t.labels = {1, 2};
  CHECK(refusal([&] { t.forward(); }) == "the number of labels is 2, but it must be one for each image, 1");
  unet_config unlabeled = small_config();
  unlabeled.class_embedding = unet_class::none;
  trial<serial_backend, float> without{be, unlabeled, {1, 2, 8, 8}, {1}};
  CHECK(refusal([&] { without.forward(); }) ==
        "labels given to a network is 1, but it must be none, for this network takes no labels");
}

TEST_CASE("recipes of first values start blocks near their skips", "[nn]") {
  for (const unet_recipe recipe : {unet_recipe::pytorch, unet_recipe::ddpm, unet_recipe::adm, unet_recipe::edm}) {
    unet_config config = small_config();
    config.recipe = recipe;
    unet<step_index> net{config};
    net.initialize(3);
    const auto size_of = [&](const char* name) {
      const parameter& p = net.layout().at(name);
      double sum = 0;
      for (std::size_t i = 0; i < p.size(); ++i) sum += std::abs(static_cast<double>(net.parameters()[p.offset + i]));
      return sum / static_cast<double>(p.size());
    };
    const double last = size_of("up_blocks.0.resnets.1.conv2.weight"), out = size_of("conv_out.weight"),
                 projection = size_of("mid_block.attentions.0.to_out.0.weight");
    for (const double size : {last, out, projection})
      CHECK((recipe == unet_recipe::pytorch ? size > 1e-2 : recipe == unet_recipe::adm ? size == 0 : size < 1e-5));
    CHECK((recipe == unet_recipe::pytorch || recipe == unet_recipe::adm ? size_of("conv_in.bias") > 0
                                                                        : size_of("conv_in.bias") == 0));
    CHECK(size_of("conv_norm_out.weight") == 1);
    // Normal with deviation 1: the mean size of 80 numbers is .80 with deviation .067.
    CHECK(std::abs(size_of("class_embedding.weight") - 0.798) < 0.35);
  }
}

TEST_CASE("a U-Net says how all its convolutions are computed", "[nn]") {
  const unet<step_index> net{small_config()};
  tbb_backend be;
  const std::string text = net.workspace<double>(be, {1, 2, 8, 8}).describe();
  // Those with a kernel; the projections of attention are products.
  const auto& all = net.layout();
  const auto convolutions =
      std::count_if(all.begin(), all.end(), [](const auto& array) { return array.sizes.size() == 4; });
  CHECK(text == "convolutions: " + std::to_string(convolutions) + " by plain loops");
}
