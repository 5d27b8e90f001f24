// Layers made of layers: both gradients against central differences, every backend against the serial one, the bits
// that do not depend on recomputation, and the heap that no pass touches. Skip connections: Ronneberger et al. 2015;
// recomputation: Chen et al. 2016.
#include "catch.hpp"

#include <algorithm>
#include <cstddef>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <softscore/backend/serial.hpp>
#include <softscore/backend/tbb.hpp>
#include <softscore/nn/activate.hpp>
#include <softscore/nn/add_embedding.hpp>
#include <softscore/nn/attention.hpp>
#include <softscore/nn/conv2d.hpp>
#include <softscore/nn/dropout_layer.hpp>
#include <softscore/nn/group_norm.hpp>
#include <softscore/nn/named.hpp>
#include <softscore/nn/parallel.hpp>
#include <softscore/nn/recompute.hpp>
#include <softscore/nn/repeated.hpp>
#include <softscore/nn/resampling.hpp>
#include <softscore/nn/residual.hpp>
#include <softscore/nn/sequential.hpp>
#include <softscore/nn/skip_concat.hpp>

#include "heap.hpp"
#include "layer_agreement.hpp"
#include "refusal.hpp"

using namespace softscore;

namespace {

constexpr shape odd{2, 6, 5, 7}, alone{1, 16, 5, 7};
const gradient_trials trained{.embedding = 3, .dropout = dropout_draw{3, 4, 5}};

// A block with all that a block of a U-Net has, for any number of channels.
auto block(std::size_t channels, std::size_t groups) {
  return residual{sequential{group_norm{groups}, activate{activation::silu}, named{"conv1", conv2d{channels}},
                             named{"time", add_embedding{}}, group_norm{groups}, activate{activation::silu},
                             dropout_layer{0.2}, named{"conv2", conv2d{channels}}},
                  0.7};
}

// A U-Net of two levels.
auto small_unet() {
  return sequential{
      named{"in", conv2d{4}},
      named{"level", skip_concat{sequential{named{"down", conv2d{8, 3, 2}},
                                            named{"blocks", sequential{std::vector{block(8, 2), block(8, 4)}}},
                                            named{"attention", residual{attention{2, 4}}}, upsample_nearest{}}}},
      group_norm{3}, activate{activation::silu}, named{"out", conv2d{3}}};
}

template <class T, class Be, class L>
std::size_t allocations_of(Be& be, const L& layer, const shape& in, const gradient_trials& trials) {
  layer_trial<L, Be, T> trial{be, layer, {in, in.images, trials.embedding, 0, trials.dropout}};
  trial.forward();  // the threads' own beginnings
  trial.backward();
  trial.backward(false, true);
  return heap::allocations([&] {
    trial.forward();
    trial.backward();
    trial.backward(true, false);
    trial.backward(false, true);
  });
}

template <class L>
std::vector<std::string> names_in(L layer, const shape& in) {
  parameter_layout layout;
  placement to{layout, 3};
  layer.place(to, "net", in);
  std::vector<std::string> names;
  for (const parameter& p : layout) names.push_back(p.name);
  return names;
}

}  // namespace

TEST_CASE("sequential is a layer, of layers of several types and of one type", "[nn]") {
  for (const shape& in : {odd, alone})
    agrees_on_every_backend("sequential", sequential{conv2d{4}, activate{activation::gelu}, conv2d{5, {.stride = 2}}},
                            in);
  agrees_on_every_backend("of one type", sequential{std::vector{conv2d{8}, conv2d{16, kernel_size{1}}, conv2d{3}}},
                          odd);
  agrees_on_every_backend("of one layer", sequential{named{"only", conv2d{8}}}, odd);
  CHECK(names_in(sequential{conv2d{2}, activate{activation::silu}, named{"last", conv2d{2}}, named{"", conv2d{2}}},
                 odd) == std::vector<std::string>{"net.0.weight", "net.0.bias", "net.last.weight", "net.last.bias",
                                                  "net.weight", "net.bias"});
  CHECK_REFUSED((sequential{std::vector<conv2d>{}}), "at least 1");
}

TEST_CASE("residual, skip_concat and parallel are layers", "[nn]") {
  agrees_on_every_backend("residual", residual{conv2d{6}}, odd);
  agrees_on_every_backend("residual with a factor", residual{conv2d{16}, 0.7}, alone);
  for (const shape& in : {odd, alone}) agrees_on_every_backend("skip_concat", skip_concat{conv2d{3}}, in);
  agrees_on_every_backend("two branches", parallel{conv2d{3}, named{"wide", conv2d{16}}}, alone);
  agrees_on_every_backend("three branches", parallel{conv2d{3}, activate{activation::silu}, conv2d{2}}, odd);
  CHECK_REFUSED((residual{conv2d{5}}.output(odd)), "the inner layer of a residual layer");
  CHECK_REFUSED((skip_concat{conv2d{5, 3, 2}}.output(odd)), "a skip connection");
  CHECK_REFUSED((parallel{conv2d{5, 3, 2}, conv2d{5}}.output(odd)), "branch");
  CHECK_REFUSED((residual{conv2d{6}, HUGE_VAL}), "finite");
}

TEST_CASE("repeated sums the gradients of its applications", "[nn]") {
  agrees_on_every_backend("repeated", repeated{conv2d{6}, 3}, odd);
  agrees_on_every_backend("once", repeated{conv2d{16}, 1}, alone);
  agrees_on_every_backend("with an embedding", repeated{sequential{conv2d{6}, add_embedding{}}, 2}, odd, trained);
  CHECK_REFUSED((repeated{conv2d{6}, 0}), "at least 1");
}

TEST_CASE("a block and a small U-Net are layers, with an embedding and dropout", "[nn]") {
  agrees_on_every_backend("block", block(6, 3), odd, trained);
  agrees_on_every_backend("U-Net", small_unet(), {2, 3, 6, 8}, trained);
  agrees_on_every_backend("U-Net that nobody trains", small_unet(), {1, 3, 4, 6}, {.embedding = 3});
  CHECK(names_in(small_unet(), {1, 3, 6, 8})[2] == "net.level.down.weight");
  const auto names = names_in(small_unet(), {1, 3, 0, 0});  // of any size
  CHECK(std::set<std::string>(names.begin(), names.end()).size() == names.size());
}

TEST_CASE("recomputed activations give the same bits with less memory", "[nn]") {
  const auto plain = sequential{block(6, 3), block(6, 2)};
  const auto again = sequential{recompute{block(6, 3)}, recompute{block(6, 2)}};
  const auto nested = recompute{sequential{recompute{block(6, 3)}, block(6, 2)}};
  serial_backend host;
  tbb_backend threads{2};
  device_under_test device;
  const auto same = [&](auto& be, auto number) {
    using T = decltype(number);
    const layer_values kept = layer_values_on<T>(be, plain, odd, trained);
    CHECK((layer_values_on<T>(be, again, odd, trained) == kept));
    CHECK((layer_values_on<T>(be, nested, odd, trained) == kept));
  };
  same(host, 1.0);
  same(threads, 1.0f);
  same(device, 1.0f);

  const auto elements = [&](auto layer) {
    parameter_layout layout;
    placement to{layout, 3};
    layer.place(to, "net", odd.with_images(1));
    planning<serial_backend, double> with{host, 2};
    static_cast<void>(layer.memory(with, odd.with_images(1)));
    return with.elements();
  };
  CHECK(elements(again) < elements(plain));
}

TEST_CASE("an activation after a group norm is part of the norm's pass", "[nn]") {
  const sequential together{group_norm{2}, activate{activation::silu}};
  serial_backend be;
  parameter_layout layout;
  const auto kept = [&](auto layer) {
    placement to{layout, 3};
    layer.place(to, "net", odd.with_images(1));
    planning<serial_backend, double> with{be, 2};
    static_cast<void>(layer.memory(with, odd.with_images(1)));
    return with.elements();
  };
  // Apart, what lies between them is kept.
  CHECK(kept(together) + odd.per_image() <= kept(sequential{group_norm{2}, sequential{activate{activation::silu}}}));
  const layer_values fused = layer_values_on<double>(be, together, odd);
  check_close(fused,
              layer_values_on<double>(be, sequential{group_norm{2}, sequential{activate{activation::silu}}}, odd),
              1e-13);  // the same formulas on numbers of size 1
}

TEMPLATE_TEST_CASE("no pass of a layer takes memory from the heap", "[nn]", serial_backend, tbb_backend) {
  TestType be;
  CHECK(allocations_of<float>(be, sequential{recompute{small_unet()}, repeated{conv2d{3}, 2}}, {2, 3, 6, 8}, trained) ==
        0);
  CHECK(allocations_of<double>(be, parallel{block(6, 3), conv2d{3}, conv2d{2}}, odd, trained) == 0);
}
