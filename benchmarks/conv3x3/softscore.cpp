// 3 x 3 convolutions of a U-Net's sizes, batch 32: forward with fresh weights, then both backward passes.
#include <memory>

#include <softscore/backend/tbb.hpp>
#include <softscore/io/safetensors.hpp>

#include "harness.hpp"

namespace {

using namespace softscore;

struct layer {
  layer(std::size_t channels, std::size_t side)
      : sizes{32, channels, channels, side, side, 3},
        in{sizes.input(32)},
        x{bench::normal_numbers(in.size(), 1)},
        weight{bench::normal_numbers(sizes.weight().size(), 2)},
        bias{bench::normal_numbers(channels, 3)},
        dy{bench::normal_numbers(in.size(), 4)},
        plan_{make_conv2d<float>(be, sizes)},
        weight_{be.make<float>(sizes.weight())},
        dweight_{be.make<float>(sizes.weight())},
        bias_{be.make<float>({1, channels, 1, 1})},
        dbias_{be.make<float>({1, channels, 1, 1})},
        plain_{be.make<float>(in)},
        x_{be.make<float>(in)},
        y_{be.make<float>(in)},
        dy_{be.make<float>(in)},
        dx_{be.make<float>(in)} {
    be.upload(weight.data(), weight_.view());
    be.upload(bias.data(), bias_.view());
    be.upload(x.data(), plain_.view());
    pack<float>(be, plain_.view(), x_.view());
    be.upload(dy.data(), plain_.view());
    pack<float>(be, plain_.view(), dy_.view());
    conv2d_prepare<float>(be, plan_, weight_.view());
  }

  void forward() {
    conv2d_prepare<float>(be, plan_, weight_.view());
    conv2d_forward<float>(be, plan_, x_.view(), weight_.view(), bias_.view(), y_.view());
  }
  void backward() {
    conv2d_backward<float>(be, plan_, x_.view(), weight_.view(), dy_.view(), dx_.view(), dweight_.view(),
                           dbias_.view());
  }
  std::vector<float> plain(const host_array<float>& of) {
    unpack<float>(be, of.view(), plain_.view());
    return values(plain_);
  }
  std::vector<float> values(host_array<float>& of) {
    std::vector<float> host(of.view().size());
    be.download(of.view(), host.data());
    return host;
  }

  tbb_backend be;
  conv2d_shape sizes;
  shape in;
  std::vector<float> x, weight, bias, dy;

 private:
  tbb_conv2d<float> plan_;

 public:
  host_array<float> weight_, dweight_, bias_, dbias_, plain_, x_, y_, dy_, dx_;
};

template <class Body>
void each_layer(const Body& body) {
  for (const std::size_t channels : {std::size_t{64}, std::size_t{128}})
    for (const std::size_t side : {std::size_t{32}, std::size_t{16}})
      body(std::to_string(channels) + " channels " + std::to_string(side) + "x" + std::to_string(side), channels, side);
}

}  // namespace

int main(int argc, char** argv) {
  const auto answer = [](const std::string& file) {
    std::vector<std::vector<float>> kept;
    std::vector<named_tensor> tensors;
    each_layer([&](const std::string& name, std::size_t channels, std::size_t side) {
      layer l{channels, side};
      l.forward();
      l.backward();
      const std::vector<std::size_t> image{32, channels, side, side}, matrix{channels, channels, 3, 3};
      const auto keep = [&](const std::string& what, const std::vector<std::size_t>& extent,
                            std::vector<float> values) {
        kept.push_back(std::move(values));
        tensors.emplace_back(name + "/" + what, extent, std::span<const float>{kept.back()});
      };
      keep("x", image, l.x);
      keep("weight", matrix, l.weight);
      keep("bias", {channels}, l.bias);
      keep("dy", image, l.dy);
      keep("ours/y", image, l.plain(l.y_));
      keep("ours/dx", image, l.plain(l.dx_));
      keep("ours/dweight", matrix, l.values(l.dweight_));
      keep("ours/dbias", {channels}, l.values(l.dbias_));
    });
    write_safetensors(file, tensors);
  };
  return bench::run(argc, argv, answer, [] {
    each_layer([](const std::string& name, std::size_t channels, std::size_t side) {
      const double flops = 2.0 * 32 * static_cast<double>(channels * channels * side * side * 9);
      const auto make = [channels, side] { return std::make_shared<layer>(channels, side); };
      bench::add(name + " forward", [make] { return [l = make()] { l->forward(); }; }, flops);
      bench::add(name + " backward", [make] { return [l = make()] { l->backward(); }; }, 2 * flops);
    });
  });
}
