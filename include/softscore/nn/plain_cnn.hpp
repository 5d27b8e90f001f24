#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <softscore/backend/archetype_operations.hpp>
#include <softscore/core/checked_size.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/nn/concept.hpp>
#include <softscore/nn/conv2d.hpp>
#include <softscore/nn/layer_norm_gelu.hpp>
#include <softscore/nn/parameters.hpp>
#include <softscore/nn/stamp.hpp>
#include <softscore/nn/time_embedding.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// What the plain CNN is made of: where each layer's parameters lie.
struct plain_cnn_layers {
  struct block {
    conv2d_parameters conv;
    layer_norm_parameters norm;
  };
  parameter_layout layout;
  std::vector<block> blocks;
  std::vector<conv2d_parameters> final;  // one
  std::vector<time_parameters> time;     // one

  /// `outputs` is how many times the image's channels come out.
  template <class = when_called>
  plain_cnn_layers(const std::vector<std::size_t>& widths, const shape& image, std::size_t outputs = 1) {
    std::size_t in = image.channels;
    for (std::size_t k = 0; k < widths.size(); ++k) {
      const std::string prefix = "blocks." + std::to_string(k);
      const conv2d_shape sizes{1, in, widths[k], image.height, image.width, 7};
      conv2d_parameters conv{layout, prefix + ".conv", sizes};
      blocks.push_back({conv, layer_norm_parameters{layout, prefix + ".norm", sizes.output(1)}});
      in = widths[k];
    }
    final.emplace_back(layout, "final", conv2d_shape{1, in, outputs * image.channels, image.height, image.width, 3});
    time.emplace_back(layout, "time", widths.front());
  }
};

/// All that evaluations of a plain CNN write: activations, gradients, plans and the backend's copy of the parameters.
template <class Be, class T>
class plain_cnn_workspace {
 public:
  plain_cnn_workspace(Be& be, const plain_cnn_layers& layers, const shape& most)
      : most_{most},
        staging_{vector_of<T>("number of parameters", {layers.layout.count()})},
        own_parameters_{be.template make<T>({1, 1, 1, layers.layout.count()})},
        scratch_{make_scratch<T>(be)},
        time_{be, layers.time.front(), most.images},
        input_{be.template make<T>(most)},
        output_{be.template make<T>(layers.final.front().sizes.output(most.images))},
        final_{be, layers.final.front(), most.images, scratch_} {
    std::size_t widest = most.channels;
    for (const auto& [conv, norm] : layers.blocks) {
      const shape s = conv.sizes.output(most.images);
      blocks_.push_back({conv2d<Be, T>{be, conv, most.images, scratch_}, layer_norm_gelu<Be, T>{be, norm, most.images},
                         be.template make<T>(s), be.template make<T>(s), s});
      widest = (std::max)(widest, s.channels);
    }
    for (int k = 0; k < 2; ++k)
      gradients_.push_back(be.template make<T>({most.images, widest, most.height, most.width}));
  }

 private:
  friend class plain_cnn;

  struct block {
    conv2d<Be, T> conv;
    layer_norm_gelu<Be, T> norm;
    array_of<Be, T> convolved;  // (N,C,H,W), what the norm takes
    array_of<Be, T> activated;  // (N,C,H,W), what the next block takes
    shape extent;
  };

  // One of two buffers for the gradient with respect to an activation.
  view_of<Be, T> gradient(std::size_t which, const shape& extent) {
    return gradients_[which % 2].view().slice(0, extent);
  }

  shape most_;
  std::uint64_t stamp_{};  // of the parameters in own_parameters_ that the plans are prepared for; 0 for others
  std::vector<T> staging_;
  array_of<Be, T> own_parameters_;
  view_of<Be, const T> used_{};  // the parameters of the last evaluation
  std::size_t images_{};         // and its images
  scratch_of<Be, T> scratch_;
  time_embedding<Be, T> time_;
  array_of<Be, T> input_;   // (N,c,H,W), in activation order
  array_of<Be, T> output_;  // (N,o,H,W), in activation order
  std::vector<block> blocks_;
  conv2d<Be, T> final_;
  std::vector<array_of<Be, T>> gradients_;
};

/// The convolutional network of Knottenbelt n.d., Section 1a: blocks of 7x7 convolution, layer norm over (C,H,W) and
/// GELU, with an embedding of time added per channel after the first block, then a 3x3 convolution back to the image's
/// channels, or to `outputs` times as many: two, where the variance is learned too (Nichol and Dhariwal 2021). Widths
/// 16,32,32,16 on 1 x 28 x 28 give 291,217 parameters, widths 16,32,64,32,16 give 542,161.
class plain_cnn {
 public:
  static constexpr std::size_t most_width = 4096, most_side = 4096, most_outputs = 16;

  /// `image` is the shape of what it maps, whatever its number of images. Parameters are 0 until they are set or
  /// initialized. Throws `error` for an empty list of widths and for sizes out of range.
  template <class = when_called>
  explicit plain_cnn(std::vector<std::size_t> widths = {16, 32, 32, 16}, const shape& image = {1, 1, 28, 28},
                     std::size_t outputs = 1)
      : widths_{checked(std::move(widths), image, outputs)},
        image_{image.with_images(1)},
        outputs_{outputs},
        layers_{widths_, image_, outputs_},
        parameters_{vector_of<float>("number of parameters", {layers_.layout.count()})} {}

  const std::vector<std::size_t>& widths() const { return widths_; }
  /// The shape of one image.
  const shape& image() const { return image_; }
  /// The channels of what it gives: a multiple of the image's.
  std::size_t output_channels() const { return outputs_ * image_.channels; }
  std::size_t parameter_count() const { return layers_.layout.count(); }
  /// Names, shapes and offsets of the parameters, as PyTorch has them.
  const parameter_layout& layout() const { return layers_.layout; }

  std::span<const float> parameters() const { return {parameters_.data(), parameters_.size()}; }
  /// To write parameters in place. Take it anew for every change: only the call tells workspaces that they are stale.
  std::span<float> mutable_parameters() {
    stamp_ = next_stamp();
    initialized_ = true;
    return {parameters_.data(), parameters_.size()};
  }
  template <class = when_called>
  void set_parameters(std::span<const float> values) {
    require(values.size() == parameter_count(), "the number of parameters", values.size(), "that of the network");
    std::copy(values.begin(), values.end(), mutable_parameters().begin());
  }
  /// PyTorch's initial distribution: weights and biases uniform in [-1, 1] / sqrt(fan_in), norms 1 and 0; a function of
  /// the seed.
  void initialize(std::uint64_t seed) { draw_initial_values(layout(), seed, mutable_parameters()); }
  /// Whether the parameters were ever set, initialized or handed out for writing.
  bool initialized() const { return initialized_; }
  /// Differs whenever the parameters may differ, across all networks of the process.
  std::uint64_t stamp() const { return stamp_; }

  /// Memory for batches of at most `most.images` images. After this nothing below allocates.
  template <class T, class Be>
    requires NetworkBackend<Be, T>
  plain_cnn_workspace<Be, T> workspace(Be& be, const shape& most) const {
    require(most.images > 0 && most.with_images(1) == image_, "the workspace's shape", most,
            "one or more images of the network's shape");
    return {be, layers_, most};
  }

  /// out = phi(x, t) with the network's own parameters, which reach the backend when their stamp has changed. x is
  /// (N,c,H,W) and out (N,o,H,W) in plain order, o being the output's channels; N may be less than the workspace's.
  /// Times are one `diffusion_time` or `c_noise`, or one per image.
  template <class Be, class T, NetworkTimes Times>
  void evaluate(Be& be, const Times& of_images, in_of<Be, T> x, std::type_identity_t<view_of<Be, T>> out,
                plain_cnn_workspace<Be, T>& ws) const {
    const per_image times{of_images};
    if (ws.stamp_ != stamp_) {
      std::copy(parameters_.begin(), parameters_.end(), ws.staging_.begin());
      be.upload(ws.staging_.data(), ws.own_parameters_.view());
      prepare<Be, T>(be, ws.own_parameters_.view(), ws);
      ws.stamp_ = stamp_;
    }
    ws.used_ = ws.own_parameters_.view();
    run<Be, T>(be, times, x, out, times.shared() ? 1 : x.extent().images, ws);
  }

  /// out = phi(x, t) with the flat parameters `params` that lie in the backend.
  template <class Be, class T, NetworkTimes Times>
  void forward(Be& be, in_of<Be, T> params, const Times& of_images, in_of<Be, T> x,
               std::type_identity_t<view_of<Be, T>> out, plain_cnn_workspace<Be, T>& ws) const {
    prepare<Be, T>(be, params, ws);
    ws.stamp_ = 0;
    ws.used_ = params;
    run<Be, T>(be, per_image{of_images}, x, out, x.extent().images, ws);
  }

  /// After `forward` with the same parameters: from dout (N,o,H,W), the gradient of a loss with respect to out, sets
  /// that with respect to x and that with respect to the parameters. Either may be empty and is then skipped.
  template <class Be, class T>
  void backward(Be& be, in_of<Be, T> params, in_of<Be, T> dout, std::type_identity_t<view_of<Be, T>> dx,
                std::type_identity_t<view_of<Be, T>> gradients, plain_cnn_workspace<Be, T>& ws) const {
    const std::size_t images = dout.extent().images;
    require(images == ws.images_, "the images of a gradient", images, "as many as were evaluated last");
    pack(be, dout, ws.output_.view().images(0, images));
    std::size_t turn = 0;
    auto d = ws.gradient(turn, ws.blocks_.back().extent.with_images(images));  // (N,C,H,W) of the last block
    ws.final_.backward(be, params, ws.blocks_.back().activated.view().images(0, images),
                       ws.output_.view().images(0, images), d, gradients);
    for (std::size_t k = ws.blocks_.size(); k-- > 0;) {
      auto& block = ws.blocks_[k];
      const bool embeds = k == 0 && !gradients.empty();
      block.norm.backward(be, params, block.convolved.view().images(0, images), d, d, gradients,
                          embeds ? ws.time_.gradient(images) : view_of<Be, T>{});
      const shape in = k > 0 ? ws.blocks_[k - 1].extent : ws.most_;
      const bool wanted = k > 0 || !dx.empty();
      const auto d_in = wanted ? ws.gradient(++turn, in.with_images(images)) : view_of<Be, T>{};
      auto& source = k > 0 ? ws.blocks_[k - 1].activated : ws.input_;
      block.conv.backward(be, params, source.view().images(0, images), d, d_in, gradients);
      d = d_in;
    }
    if (!dx.empty()) unpack(be, d, dx);
    if (!gradients.empty()) ws.time_.backward(be, params, images, gradients);
  }

  /// out = J^T v, the transpose of the Jacobian in x at the last evaluation in `ws`.
  template <class Be, class T>
  void pullback(Be& be, in_of<Be, T> v, std::type_identity_t<view_of<Be, T>> out,
                plain_cnn_workspace<Be, T>& ws) const {
    backward<Be, T>(be, ws.used_, v, out, {}, ws);
  }

 private:
  template <class = when_called>
  static std::vector<std::size_t> checked(std::vector<std::size_t> widths, const shape& image, std::size_t outputs) {
    require(outputs >= 1 && outputs <= most_outputs, "the number of outputs", outputs, "between 1 and 16");
    require(!widths.empty() && widths.size() <= 64, "the number of widths", widths.size(), "between 1 and 64");
    for (const std::size_t width : widths)
      require(width >= 1 && width <= most_width, "a width", width, "between 1 and 4096");
    require(image.channels >= 1 && image.channels <= most_width, "the image's channels", image.channels,
            "between 1 and 4096");
    require(image.height >= 1 && image.height <= most_side && image.width >= 1 && image.width <= most_side,
            "the image's shape", image, "between 1 and 4096 pixels high and wide");
    return widths;
  }

  template <class Be, class T>
  static void prepare(Be& be, view_of<Be, const T> params, plain_cnn_workspace<Be, T>& ws) {
    for (auto& block : ws.blocks_) {
      block.conv.prepare(be, params);
      block.norm.prepare(be, params);
    }
    ws.final_.prepare(be, params);
  }

  // The forward pass; `rows` is 1 where all images share one time.
  template <class Be, class T, NetworkTime Time>
  void run(Be& be, per_image<Time> times, view_of<Be, const T> x, view_of<Be, T> out, std::size_t rows,
           plain_cnn_workspace<Be, T>& ws) const {
    const std::size_t images = x.extent().images;
    require(images > 0 && images <= ws.most_.images && x.extent().with_images(1) == image_, "the network's input",
            x.extent(), "images of the network's shape, no more than the workspace was made for");
    require(out.extent() == output_extent(*this, x.extent()), "the network's output", out.extent(),
            outputs_ == 1 ? "as large as its input" : "of as many images as its input, and of the network's channels");
    ws.images_ = images;
    pack(be, x, ws.input_.view().images(0, images));
    view_of<Be, const T> h = ws.input_.view().images(0, images);
    for (std::size_t k = 0; k < ws.blocks_.size(); ++k) {
      auto& block = ws.blocks_[k];
      const auto convolved = block.convolved.view().images(0, images),
                 activated = block.activated.view().images(0, images);
      block.conv.forward(be, ws.used_, h, convolved);
      const auto shift = k == 0 ? ws.time_.forward(be, ws.used_, times, rows) : view_of<Be, const T>{};
      block.norm.forward(be, ws.used_, convolved, shift, activated);
      h = activated;
    }
    ws.final_.forward(be, ws.used_, h, ws.output_.view().images(0, images));
    unpack(be, ws.output_.view().images(0, images), out);
  }

  std::vector<std::size_t> widths_;
  shape image_;
  std::size_t outputs_;
  plain_cnn_layers layers_;
  std::vector<float> parameters_;
  std::uint64_t stamp_{next_stamp()};
  bool initialized_{};
};
static_assert(Network<plain_cnn, archetype_backend, float> && Network<plain_cnn, archetype_backend, double>);
static_assert(Network<plain_cnn, archetype_backend, float, c_noise>);

}  // namespace softscore::inline SOFTSCORE_ABI
