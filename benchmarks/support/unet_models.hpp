#pragma once

// The U-Nets that are timed, a training step and an evaluation of each, and what a peer compares them by.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <softscore/backend/tbb.hpp>
#include <softscore/io/safetensors.hpp>
#include <softscore/nn/unet.hpp>
#include <softscore/optim/adam.hpp>

#include "harness.hpp"

namespace bench {

using namespace softscore;

/// A U-Net with first values drawn from a seed, and the batches that it is trained with.
struct unet_model {
  std::string name;
  unet_config config;
  std::vector<std::size_t> batches;  // the first is the one that answers are compared with

  shape images(std::size_t count) const { return {count, config.in_channels, config.height, config.width}; }
  unet<step_index> network() const {
    unet<step_index> net{config};
    net.initialize(1);
    return net;
  }
};

namespace detail {
// Blocks of one letter per level: attention or none.
inline unet_config unet_of(std::size_t channels, std::size_t side, std::vector<std::size_t> widths,
                           const std::string& blocks) {
  unet_config c;
  c.in_channels = c.out_channels = channels;
  c.height = c.width = side;
  c.block_out_channels = std::move(widths);
  c.down_blocks.clear();
  for (const char block : blocks) c.down_blocks.push_back(block == 'a' ? unet_block::attention : unet_block::plain);
  c.up_blocks.assign(c.down_blocks.rbegin(), c.down_blocks.rend());
  return c;
}
}  // namespace detail

/// Attention at 16 x 16 with heads of 8; attention at 8 x 8 and 4 x 4; google/ddpm-cifar10-32; digits with labels.
inline std::vector<unet_model> unet_models() {
  unet_config pretrained = detail::unet_of(3, 32, {128, 256, 256, 256}, "-a--");
  pretrained.attention_head_dim.reset();
  pretrained.downsample_padding = 0;
  pretrained.flip_sin_to_cos = false;
  pretrained.freq_shift = 1;
  pretrained.norm_eps = 1e-6;
  unet_config digits = detail::unet_of(1, 28, {32, 64, 64}, "-aa");
  digits.class_embedding = unet_class::table;
  digits.num_class_embeds = 10;
  digits.norm_num_groups = 8;
  return {{"(a)", detail::unet_of(3, 32, {32, 64, 64}, "-a-"), {32}},
          {"(b)", detail::unet_of(3, 32, {64, 128, 128, 256}, "--aa"), {16}},
          {"(c)", pretrained, {8, 32}},
          {"(d)", digits, {64}}};
}

/// A batch of images with a time, and where the model takes them a label, for each.
struct unet_batch {
  unet_batch(const unet_model& model, std::size_t images) : extent{model.images(images)} {
    for (std::size_t n = 0; n < images; ++n) {
      times.push_back({static_cast<double>((1000 * n + 500) / images)});
      if (model.config.num_class_embeds > 0)
        labels.push_back(static_cast<class_label>(n % model.config.num_class_embeds));
    }
  }
  network_input<step_index> input() const {
    conditioning known;
    known.labels = labels;
    return {per_image<step_index>{std::span<const step_index>{times}}, known};
  }

  shape extent;
  std::vector<float> x = normal_numbers(extent.size(), 1), target = normal_numbers(extent.size(), 2);
  std::vector<step_index> times;
  std::vector<class_label> labels;
};

/// Forward, mean squared error, backward and Adam on one batch.
template <class Be = tbb_backend>
class unet_step {
 public:
  unet_step(std::size_t threads, const unet_model& model, std::size_t images)
      : be{threads},
        net{model.network()},
        batch{model, images},
        flat_{1, 1, 1, net.parameter_count()},
        theta_{be.template make<float>(flat_)},
        gradients_{be.template make<float>(flat_)},
        m_{be.template make<float>(flat_)},
        v_{be.template make<float>(flat_)},
        x_{be.template make<float>(batch.extent)},
        out_{be.template make<float>(batch.extent)},
        dout_{be.template make<float>(batch.extent)},
        target_{be.template make<float>(batch.extent)},
        losses_(images),
        ws_{net.template workspace<float>(be, batch.extent)} {
    be.upload(net.parameters().data(), theta_.view());
    be.upload(batch.x.data(), x_.view());
    be.upload(batch.target.data(), target_.view());
  }

  void forward() { net.template forward<Be, float>(be, theta_.view(), batch.input(), x_.view(), out_.view(), ws_); }
  /// The mean squared error; its gradient is propagated, to x too where `dx` is not empty.
  double backward(view_of<Be, float> dx = {}) {
    const auto size = static_cast<double>(batch.extent.size());
    be.combine(dout_.view(), term{1.0, out_.view()}, term{-1.0, target_.view()});
    be.dot(dout_.view(), dout_.view(), losses_.data());
    be.combine(dout_.view(), term{2 / size, dout_.view()});
    net.template backward<Be, float>(be, theta_.view(), dout_.view(), dx, gradients_.view(), ws_);
    double sum = 0;
    for (const double loss : losses_) sum += loss;
    return sum / size;
  }
  void update() { adam{}.step<Be, float>(be, ++count_, theta_.view(), m_.view(), v_.view(), gradients_.view()); }
  double operator()() {
    forward();
    const double loss = backward();
    update();
    return loss;
  }

  std::vector<float> output() { return values(out_); }
  std::vector<float> gradients() { return values(gradients_); }
  std::vector<float> values(array_of<Be, float>& array) {
    std::vector<float> host(array.view().size());
    be.download(array.view(), host.data());
    return host;
  }

  Be be;
  unet<step_index> net;
  unet_batch batch;

 private:
  shape flat_;
  array_of<Be, float> theta_, gradients_, m_, v_, x_, out_, dout_, target_;
  std::vector<double> losses_;
  typename unet<step_index>::template memory<Be, float> ws_;
  std::uint64_t count_{};
};

/// The network with its own weights, as in sampling: all images at one time.
class unet_evaluation {
 public:
  static constexpr double time = 400;

  unet_evaluation(std::size_t threads, const unet_model& model, std::size_t images)
      : be_{threads},
        net_{model.network()},
        batch_{model, images},
        x_{be_.make<float>(batch_.extent)},
        out_{be_.make<float>(batch_.extent)},
        ws_{net_.workspace<float>(be_, batch_.extent)} {
    be_.upload(batch_.x.data(), x_.view());
    // As in sampling: weights that are used a third time are kept as convolutions want them.
    for (int k = 0; k < 3; ++k) (*this)();
  }

  void operator()() {
    conditioning known;
    known.labels = batch_.labels;
    const network_input<step_index> input{per_image<step_index>{step_index{time}}, known};
    net_.evaluate<tbb_backend, float>(be_, input, x_.view(), out_.view(), ws_);
  }
  std::vector<float> output() {
    std::vector<float> host(batch_.extent.size());
    be_.download(out_.view(), host.data());
    return host;
  }

 private:
  tbb_backend be_;
  unet<step_index> net_;
  unet_batch batch_;
  array_of<tbb_backend, float> x_, out_;
  unet<step_index>::memory<tbb_backend, float> ws_;
};

}  // namespace bench
