// The heavy operations of U-Nets, each forward (a convolution with fresh weights) and backward: attention, group norm
// with SiLU, and 3 x 3 convolutions.
#include <array>
#include <cstddef>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <softscore/backend/tbb.hpp>
#include <softscore/io/safetensors.hpp>

#include "harness.hpp"

namespace {

using namespace softscore;

/// Arrays by name: those of `make` with normal numbers, activations in the backend's order.
struct operation {
  tbb_backend be;
  std::map<std::string, host_array<float>> arrays;
  std::map<std::string, bool> packed;  // whether it is an activation

  host_array<float>& make(const std::string& name, const shape& extent, bool activation) {
    host_array<float> array = be.make<float>(extent);
    const std::vector<float> z = bench::normal_numbers(extent.size(), 1 + arrays.size());
    be.upload(z.data(), array.view());
    packed[name] = activation;
    if (activation) {
      host_array<float> ordered = be.make<float>(extent);
      pack<float>(be, array.view(), ordered.view());
      array = std::move(ordered);
    }
    return arrays.emplace(name, std::move(array)).first->second;
  }
  view<float, host_space> operator[](const std::string& name) { return arrays.at(name).view(); }
  std::vector<float> plain(const std::string& name) {
    const auto of = arrays.at(name).view();
    host_array<float> order = be.make<float>(of.extent());
    if (packed.at(name)) unpack<float>(be, of, order.view());
    std::vector<float> host(of.size());
    be.download(packed.at(name) ? order.view() : of, host.data());
    return host;
  }
};

struct attention : operation {
  attention(std::size_t images, std::size_t heads, std::size_t width, std::size_t side)
      : sizes{images, heads, width, side, side}, plan{make_attention<float>(be, sizes)} {
    const std::size_t channels = heads * width;
    for (const char* name : {"qkv", "dqkv"}) make(name, {images, 3 * channels, side, side}, true);
    for (const char* name : {"y", "dy"}) make(name, {images, channels, side, side}, true);
  }
  void forward() { attention_forward<float>(be, plan, (*this)["qkv"], (*this)["y"]); }
  void backward() { attention_backward<float>(be, plan, (*this)["qkv"], (*this)["y"], (*this)["dy"], (*this)["dqkv"]); }
  // Two products forward, five backward: the scores are computed again.
  double flops(bool back) const {
    const auto tokens = static_cast<double>(sizes.height * sizes.width);
    return (back ? 10 : 4) * static_cast<double>(sizes.images * sizes.channels()) * tokens * tokens;
  }
  double bytes(bool) const { return 0; }

  attention_shape sizes;
  tbb_attention<float> plan;
};

struct norm : operation {
  norm(std::size_t images, std::size_t channels, std::size_t side)
      : sizes{{images, channels, side, side}, 32, 1e-5, activation::silu}, plan{make_group_norm<float>(be, sizes)} {
    for (const char* name : {"x", "y", "dy", "dx"}) make(name, sizes.sizes, true);
    for (const char* name : {"weight", "bias", "dweight", "dbias"}) make(name, {1, channels, 1, 1}, false);
  }
  void forward() {
    group_norm_forward<float>(be, plan, (*this)["x"], {}, (*this)["weight"], (*this)["bias"], {}, (*this)["y"]);
  }
  void backward() {
    group_norm_backward<float>(be, plan, (*this)["x"], {}, (*this)["weight"], (*this)["bias"], {}, (*this)["dy"],
                               (*this)["dx"], (*this)["dweight"], (*this)["dbias"], {}, {});
  }
  double flops(bool) const { return 0; }
  // Activations read or written, each once.
  double bytes(bool back) const { return (back ? 3 : 2) * 4 * static_cast<double>(sizes.sizes.size()); }

  group_norm_shape sizes;
  tbb_group_norm<float> plan;
};

struct convolution : operation {
  convolution(std::size_t images, std::size_t channels, std::size_t side)
      : sizes{images, channels, channels, side, side, 3}, plan{make_conv2d<float>(be, sizes)} {
    for (const char* name : {"x", "y", "dy", "dx"}) make(name, {images, channels, side, side}, true);
    for (const char* name : {"weight", "dweight"}) make(name, sizes.weight(), false);
    for (const char* name : {"bias", "dbias"}) make(name, {1, channels, 1, 1}, false);
    conv2d_prepare<float>(be, plan, (*this)["weight"]);
  }
  void forward() {
    conv2d_prepare<float>(be, plan, (*this)["weight"]);
    conv2d_forward<float>(be, plan, (*this)["x"], (*this)["weight"], (*this)["bias"], (*this)["y"]);
  }
  void backward() {
    conv2d_backward<float>(be, plan, (*this)["x"], (*this)["weight"], (*this)["dy"], (*this)["dx"], (*this)["dweight"],
                           (*this)["dbias"]);
  }
  double flops(bool back) const {
    return (back ? 4 : 2) * static_cast<double>(sizes.images * sizes.weight().size() * sizes.height * sizes.width);
  }
  double bytes(bool) const { return 0; }

  conv2d_shape sizes;
  tbb_conv2d<float> plan;
};

/// Calls body(name, make) for every operation; make() gives it anew.
template <class Body>
void each_operation(const Body& body) {
  const auto with = [&]<class Operation>(std::type_identity<Operation>, const std::string& name, auto... sizes) {
    body(name, [=] { return std::make_shared<Operation>(static_cast<std::size_t>(sizes)...); });
  };
  const std::type_identity<attention> attends;
  with(attends, "attention, 32 images, 8 heads of 8, 256 tokens", 32, 8, 8, 16);
  with(attends, "attention, 8 images, 4 heads of 64, 256 tokens", 8, 4, 64, 16);
  const std::type_identity<norm> normalizes;
  with(normalizes, "group norm and SiLU, 32 images, 32 channels 32x32", 32, 32, 32);
  with(normalizes, "group norm and SiLU, 8 images, 128 channels 32x32", 8, 128, 32);
  const std::type_identity<convolution> convolves;
  for (const auto& [images, channels, side] :
       {std::array{8, 128, 32}, {8, 256, 16}, {8, 256, 8}, {8, 256, 4}, {32, 64, 16}, {32, 32, 32}})
    with(convolves,
         "3x3, " + std::to_string(images) + " images, " + std::to_string(channels) + " channels " +
             std::to_string(side) + "x" + std::to_string(side),
         images, channels, side);
}

/// What each operation reads, and what it computes.
void write_answer(const std::string& file) {
  std::list<std::vector<float>> kept;
  std::vector<named_tensor> tensors;
  each_operation([&](const std::string& name, const auto& make) {
    if (!bench::asked_for(name + ", forward") && !bench::asked_for(name + ", backward")) return;
    const auto of = make();
    const auto give = [&](const std::string& prefix, const std::string& array) {
      const shape s = of->arrays.at(array).view().extent();
      tensors.emplace_back(name + prefix + array,
                           s.plane() == 1 && s.images == 1 ? std::vector{s.channels}
                                                           : std::vector{s.images, s.channels, s.height, s.width},
                           kept.emplace_back(of->plain(array)));
    };
    const auto computed = [](const std::string& array) { return array == "y" || (array[0] == 'd' && array != "dy"); };
    for (const auto& [array, unused] : of->arrays)
      if (!computed(array)) give("/", array);
    of->forward();
    of->backward();
    for (const auto& [array, unused] : of->arrays)
      if (computed(array)) give("/ours/", array);
  });
  write_safetensors(file, tensors);
}

}  // namespace

int main(int argc, char** argv) {
  return bench::run(argc, argv, write_answer, [] {
    each_operation([](const std::string& name, const auto& make) {
      const auto sizes = make();
      bench::add(
          name + ", forward", [make] { return [of = make()] { of->forward(); }; }, sizes->flops(false),
          sizes->bytes(false));
      bench::add(
          name + ", backward", [make] { return [of = make()] { of->backward(); }; }, sizes->flops(true),
          sizes->bytes(true));
    });
  });
}
