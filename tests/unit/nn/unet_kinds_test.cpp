#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

#include <softscore/backend/serial.hpp>
#include <softscore/backend/tbb.hpp>
#include <softscore/nn/behind_frozen.hpp>
#include <softscore/nn/edm.hpp>
#include <softscore/nn/guided_diffusion.hpp>
#include <softscore/nn/paper003.hpp>
#include <softscore/nn/sr3.hpp>

#include "heap.hpp"
#include "refusal.hpp"
#include "slope.hpp"

using namespace softscore;

namespace {

// The networks of Dhariwal and Nichol 2021, Song et al. 2021 and Karras et al. 2022, Saharia et al. 2021, and
// Ng et al. n.d. (Crowson and Pressman 2021). Numbers of PyTorch are compared in golden/golden_unet.cpp.

guided_diffusion_settings small_adm() {
  guided_diffusion_settings s;
  s.image_size = 8;
  s.in_channels = 2;
  s.out_channels = 4;
  s.model_channels = 4;
  s.channel_mult = {1, 2};
  s.num_res_blocks = 1;
  s.attention_resolutions = {2};
  s.dropout = 0.1;
  s.num_classes = 5;
  s.num_heads = 2;
  s.use_scale_shift_norm = s.resblock_updown = true;
  s.groups = 2;
  return s;
}

edm_settings small_edm(edm_model model) {
  const bool song = model == edm_model::song;
  edm_settings s;
  s.model_type = model;
  s.img_resolution = 8;
  s.in_channels = s.out_channels = 2;
  s.label_dim = 5;
  s.augment_dim = song ? 3 : 2;
  s.model_channels = song ? 8 : 64;  // heads of DhariwalUNet have 64 channels
  s.channel_mult = {1, 1};
  s.channel_mult_emb = 1;
  s.num_blocks = 1;
  s.attn_resolutions = {4};
  if (!song) return s;
  s.fourier = s.residual_encoder = s.smooth = true;
  s.channel_mult_noise = 2;
  return s;
}

sr3_settings small_sr3() {
  sr3_settings s;
  s.image_size = 8;
  s.in_channel = 3;
  s.out_channel = 2;
  s.inner_channel = 4;
  s.norm_groups = 2;
  s.channel_mults = {1, 2};
  s.attn_res = {4};
  s.res_blocks = 1;
  s.dropout = 0.2;
  return s;
}

// A network with its parameters and a batch of two images in a backend, and all that it can be given.
template <class Be, class T, class Net>
struct trial {
  using Time = typename Net::time_type;
  Be& be;
  const Net& net;
  shape in, out_shape;
  std::vector<Time> times{{0.7}, {2.4}};
  std::vector<class_label> labels{};
  std::vector<float> features{}, beside{};
  array_of<Be, T> params, x, dout, out, dx, gradients;
  network_workspace_of<Net, Be, T> ws;

  trial(Be& backend, const Net& network, const shape& s, std::size_t of_features = 0, std::size_t of_beside = 0)
      : be{backend},
        net{network},
        in{s},
        out_shape{net.output(s)},
        params{be.template make<T>({1, 1, 1, net.parameter_count()})},
        x{be.template make<T>(s)},
        dout{be.template make<T>(out_shape)},
        out{be.template make<T>(out_shape)},
        dx{be.template make<T>(s)},
        gradients{be.template make<T>({1, 1, 1, net.parameter_count()})},
        ws{net.template workspace<T>(be, s)} {
    if (net.label_count() > 0) labels = {3, 1};
    const auto numbers = normal_numbers(2 * of_features, 4), image = normal_numbers(2 * of_beside * s.plane(), 6);
    features.assign(numbers.begin(), numbers.end());
    beside.assign(image.begin(), image.end());
    auto values = normal_numbers(net.parameter_count(), 11);
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = static_cast<double>(net.parameters()[i]) + 0.1 * values[i];
    set(params, values);
    set(x, normal_numbers(s.size(), 12));
    set(dout, normal_numbers(out_shape.size(), 13));
  }

  network_input<Time> input() const {
    conditioning known{.labels = labels};
    if (!features.empty()) known.features = {features.data(), {2, features.size() / 2, 1, 1}};
    if (!beside.empty()) known.image = {beside.data(), {2, beside.size() / 2 / in.plane(), in.height, in.width}};
    return {per_image<Time>{std::span<const Time>{times}}, known, dropout_draw{5, 7, 2}};
  }
  void set(array_of<Be, T>& to, const std::vector<double>& values) {
    be.upload(std::vector<T>(values.begin(), values.end()).data(), to.view());
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

// The slope of slope.hpp, or for networks with ReLU one from two values 2e-7 apart, so close that no ReLU's input
// changes its sign: its error is the rounding of f, some 1e-15 |f|, over 2e-7.
double error_of(bool kinks, const std::function<double(const std::vector<double>&)>& f,
                const std::vector<double>& point, const std::vector<double>& gradient) {
  if (!kinks) return slope_error(f, point, gradient);
  const auto u = normal_numbers(point.size(), 1);
  auto up = point, down = point;
  double slope = 0;
  for (std::size_t i = 0; i < u.size(); ++i) {
    up[i] += 1e-7 * u[i];
    down[i] -= 1e-7 * u[i];
    slope += u[i] * gradient[i];
  }
  return std::abs((f(up) - f(down)) / 2e-7 - slope) / std::abs(slope);
}

template <class Net>
void has_gradients(Net net, const shape& in, std::size_t of_features = 0, std::size_t of_beside = 0, bool kinks = false,
                   std::uint64_t seed = 7) {
  const double allowed = kinks ? 1e-6 : 1e-7;
  net.initialize(seed);
  serial_backend be;
  trial<serial_backend, double, Net> t{be, net, in, of_features, of_beside};
  t.loss();
  t.backward();
  const auto params = t.get(t.params), gradients = t.get(t.gradients), x = t.get(t.x), dx = t.get(t.dx);
  CHECK(error_of(
            kinks,
            [&](const std::vector<double>& at) {
              t.set(t.x, at);
              return t.loss();
            },
            x, dx) < allowed);
  t.set(t.x, x);
  // Parameters that are not trained stay where they are.
  std::vector<std::size_t> moving;
  for (const parameter& p : net.layout())
    for (std::size_t i = 0; i < p.size() && p.trained; ++i) moving.push_back(p.offset + i);
  std::vector<double> point, slopes;
  for (const std::size_t i : moving) {
    point.push_back(params[i]);
    slopes.push_back(gradients[i]);
  }
  CHECK(error_of(
            kinks,
            [&](const std::vector<double>& at) {
              auto all = params;
              for (std::size_t k = 0; k < moving.size(); ++k) all[moving[k]] = at[k];
              t.set(t.params, all);
              return t.loss();
            },
            point, slopes) < allowed);
}

}  // namespace

TEST_CASE("gradients of the field's U-Nets are those of central differences", "[nn]") {
  const shape in{2, 2, 8, 8};
  SECTION("ADM") { has_gradients(unet<step_index>{unet_settings(small_adm())}, in); }
  SECTION("NCSN++") { has_gradients(unet<c_noise>{unet_settings(small_edm(edm_model::song))}, in, 3); }
  SECTION("DhariwalUNet") { has_gradients(unet<c_noise>{unet_settings(small_edm(edm_model::dhariwal))}, in, 2); }
  SECTION("SR3") { has_gradients(unet<noise_level>{unet_settings(small_sr3())}, in, 0, 1); }
}

TEST_CASE("gradients of the networks with ReLU are those of central differences", "[nn]") {
  const shape in{2, 3, 8, 8};
  for (const std::size_t classes : {0u, 4u}) {
    unet_config c = paper003_unet(2, classes);
    has_gradients(unet<log_snr>{c}, in, 0, 0, true);
  }
  has_gradients(add_net<>{in, {.classes = 4, .kernel = 3, .last_relu = false}}, in, 0, 0, true);
  unet<log_snr> frozen{paper003_unet(2)};
  frozen.initialize(3);
  has_gradients(behind_frozen{frozen, add_net<>{in, {.classes = 4, .kernel = 3, .last_relu = false}}}, in, 0, 0, true,
                5);
}

TEST_CASE("the field's U-Nets have as many parameters as the originals", "[nn]") {
  // EDM's DDPM++ for CIFAR-10 (Karras et al. 2022), and ADM for ImageNet at 64 x 64 (Dhariwal and Nichol 2021).
  edm_settings edm;
  edm.img_resolution = 32;
  edm.in_channels = edm.out_channels = 3;
  edm.augment_dim = 9;
  edm.channel_mult = {2, 2, 2};
  CHECK(unet<c_noise>::layout_of(unet_settings(edm)).count() == 55'733'891);
  guided_diffusion_settings adm;
  adm.image_size = 64;
  adm.out_channels = 6;
  adm.model_channels = 192;
  adm.channel_mult = {1, 2, 3, 4};
  adm.num_res_blocks = 3;
  adm.attention_resolutions = {2, 4, 8};
  adm.num_classes = 1000;
  adm.num_head_channels = 64;
  adm.use_scale_shift_norm = adm.resblock_updown = true;
  CHECK(unet<step_index>::layout_of(unet_settings(adm)).count() == 295'904'454);
  CHECK(unet<log_snr>::layout_of(paper003_unet()).count() == 23'208'715);
  CHECK(unet<log_snr>::layout_of(paper003_unet(64, 10)).count() == 23'211'315);
  CHECK(add_net<>{{1, 3, 32, 32}}.parameter_count() == 659'658);
}

TEST_CASE("the field's U-Nets recompute with the same bits, and their steps allocate nothing", "[nn]") {
  const auto check = [](auto net_of, unet_config c, const shape& in, std::size_t of_features) {
    tbb_backend be{2};
    auto keeps = net_of(c);
    c.recompute = true;
    auto again = net_of(c);
    using Net = decltype(keeps);
    keeps.initialize(5);
    again.initialize(5);
    trial<tbb_backend, float, Net> first{be, keeps, in, of_features}, second{be, again, in, of_features};
    CHECK(first.loss() == second.loss());
    first.backward();
    second.backward();
    CHECK(first.get(first.gradients) == second.get(second.gradients));
    CHECK(first.get(first.dx) == second.get(second.dx));
    const auto step = [&] {
      first.forward();
      first.backward();
    };
    CHECK(heap::allocations(step) == 0);
  };
  check([](const unet_config& c) { return unet<c_noise>{c}; }, unet_settings(small_edm(edm_model::song)), {2, 2, 8, 8},
        3);
  check([](const unet_config& c) { return unet<log_snr>{c}; }, paper003_unet(2, 4), {2, 3, 8, 8}, 0);
}

TEST_CASE("a dense layer for each class gives an image the same whatever the batch", "[nn]") {
  tbb_backend be{2};
  const shape in{2, 3, 8, 8};
  add_net<> net{in, {.classes = 4, .kernel = 3}};
  net.initialize(2);
  trial<tbb_backend, float, add_net<>> t{be, net, in};
  t.forward();
  const auto both = t.get(t.out), images = t.get(t.x);
  auto x = be.make<float>(in.with_images(1)), out = be.make<float>(in.with_images(1));
  be.upload(images.data() + in.per_image(), x.view());
  const std::vector<class_label> second{t.labels[1]};
  net.forward(be, t.params.view(), network_input<log_snr>{log_snr{}, conditioning{.labels = second}}, x.view(),
              out.view(), t.ws);
  CHECK(std::equal(both.begin() + static_cast<std::ptrdiff_t>(in.per_image()), both.end(), t.get(out).begin()));
  // A class without images has the gradient 0.
  t.forward();
  t.backward();
  const auto gradients = t.get(t.gradients);
  for (const char* const name : {"transform.0.weight", "transform.2.bias"}) {
    const parameter& p = net.layout().at(name);
    for (std::size_t i = 0; i < p.size(); ++i) CHECK(gradients[p.offset + i] == 0);
  }
}

TEST_CASE("a network behind a frozen one is used up to a limit of the time", "[nn]") {
  serial_backend be;
  const shape in{2, 3, 8, 8};
  unet<log_snr> frozen{paper003_unet(2)};
  frozen.initialize(3);
  behind_frozen net{frozen, add_net<>{in, {.classes = 4, .kernel = 3, .last_relu = false}}};
  net.initialize(4);
  trial<serial_backend, double, decltype(net)> t{be, net, in};
  const auto evaluated = [&] {
    net.evaluate(be, t.input(), t.x.view(), t.out.view(), t.ws);
    return t.get(t.out);
  };
  const auto part = [&](const std::vector<double>& of, std::size_t n) {
    const auto begin = of.begin() + static_cast<std::ptrdiff_t>(n * in.per_image());
    return std::vector<double>(begin, begin + static_cast<std::ptrdiff_t>(in.per_image()));
  };
  const auto always = evaluated();
  net.set_limit({-5});
  const auto never = evaluated();
  net.set_limit({1});  // between the times of both images
  const auto mixed = evaluated();
  CHECK(part(mixed, 0) == part(always, 0));
  CHECK(part(mixed, 1) == part(never, 1));
  // The transposed Jacobian of what was evaluated.
  net.pullback(be, t.dout.view(), t.dx.view(), t.ws);
  const auto x = t.get(t.x), dx = t.get(t.dx), d = t.get(t.dout);
  CHECK(error_of(
            true,
            [&](const std::vector<double>& at) {
              t.set(t.x, at);
              const auto y = evaluated();
              double sum = 0;
              for (std::size_t i = 0; i < y.size(); ++i) sum += y[i] * d[i];
              return sum;
            },
            x, dx) < 1e-6);
}

TEST_CASE("settings that do not fit a U-Net of the field are refused", "[nn]") {
  guided_diffusion_settings adm = small_adm();
  adm.num_heads = 3;
  CHECK(refusal([&] { unet<step_index>{unet_settings(adm)}; }) ==
        "attention_heads is 3, but it must be a divisor of the channels of each level with attention, here 8");
  adm = small_adm();
  adm.model_channels = 0;
  CHECK(refusal([&] { unet_settings(adm); }) == "model_channels is 0, but it must be between 1 and 65536");
  edm_settings edm = small_edm(edm_model::dhariwal);
  edm.smooth = true;
  CHECK(refusal([&] { unet_settings(edm); }) ==
        "a setting of SongUNet for a DhariwalUNet is given, but it must be left at its default");
  edm = small_edm(edm_model::song);
  edm.img_resolution = 0;
  CHECK(refusal([&] { unet_settings(edm); }) == "img_resolution is 0, but it must be between 1 and 65536");
  edm = small_edm(edm_model::song);
  edm.smooth = false;
  CHECK(refusal([&] { unet_settings(edm); }) ==
        "resample_filter is [1, 1], but it must be [1, 3, 3, 1] where encoder_type is residual");
  sr3_settings sr3 = small_sr3();
  sr3.in_channel = 2;
  CHECK(refusal([&] { unet_settings(sr3); }) ==
        "in_channel is 2, but it must be above out_channel, for it counts both images");
  unet_config c = paper003_unet(2);
  c.center_input_sample = true;
  CHECK(refusal([&] { unet<log_snr>{c}; }) ==
        "a setting of the input in a network of the form relu is given, but it must be left out, for it has no such "
        "layer");
  c = paper003_unet(2);
  c.time_planes = 0;
  CHECK(refusal([&] { unet<log_snr>{c}; }) ==
        "time_planes is 0, but it must be given for a network of the form relu, which sees the time so, and 0 for "
        "others");
  c = unet_settings(small_edm(edm_model::song));
  c.smooth_samplers = false;
  CHECK(refusal([&] { unet<c_noise>{c}; }) ==
        "residual_picture is true, but it must be false without smooth_samplers, for the picture is filtered by (1, 3, "
        "3, 1)");
  for (const unet_block kind : {unet_block::plain, unet_block::skip, unet_block::attention}) {
    c = unet_settings(small_edm(edm_model::song));
    c.down_blocks.front() = kind;
    c.downsample_type = unet_sampler::convolution;
    CHECK(refusal([&] { unet<c_noise>{c}; }) ==
          "residual_picture is true, but it must be false where a level does not become smaller inside a residual "
          "block, here 0");
  }
  c.down_blocks.front() = unet_block::attention;
  c.downsample_type = unet_sampler::resnet;
  CHECK(unet<c_noise>{c}.parameter_count() > 0);
  for (const unet_time embedding : {unet_time::fourier, unet_time::learned, unet_time::fourier_of_time}) {
    c = paper003_unet(2);
    c.time_embedding = embedding;
    c.num_train_timesteps = 10;
    CHECK(refusal([&] { require_valid(c); }) ==
          "another time_embedding in a network of the form relu is given, but it must be left out, for the network "
          "sees the time as planes");
  }
  for (const unet_block kind : {unet_block::attention, unet_block::skip}) {
    c = paper003_unet(2);
    c.up_blocks.back() = kind;
    CHECK(refusal([&] { require_valid(c); }) ==
          "a block with attention or skips in a network of the form relu is given, but it must be plain");
  }
  c = paper003_unet(2);
  c.scale_shift = true;
  CHECK(refusal([&] { require_valid(c); }) ==
        "scale_shift is true, but it must be false in a network of the form relu, which has no norms");
  c = paper003_unet(2, 3);
  c.class_planes = static_cast<std::size_t>(-1) - c.time_planes + 2;  // with these it would be 1 plane
  CHECK(refusal([&] { require_valid(c); }) == "class_planes is 18446744073709551601, but it must be at most 65536");
  CHECK(refusal([&] { add_net<>{{1, 3, 8, 6}, {.kernel = 7}}; }) ==
        "the kernel of add_net is 7, but it must be between 1 and the lesser side of an image, 6");

  serial_backend be;
  const shape in{2, 3, 8, 8};
  const add_net<> net{in, {.classes = 4, .kernel = 3}};
  trial<serial_backend, float, add_net<>> t{be, net, in};
  t.labels = {1, no_class};
  CHECK(refusal([&] { t.forward(); }) == "a label is -1, but it must be between 0 and 3");
  t.labels = {1};
  CHECK(refusal([&] { t.forward(); }) == "the number of labels is 1, but it must be one for each image, 2");
}
