#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <softscore/backend/operations.hpp>
#include <softscore/core/config.hpp>
#include <softscore/nn/layer.hpp>
#include <softscore/nn/parameters.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The sizes of a trial of a layer.
struct layer_trial_sizes {
  shape in{};                             ///< of the batch
  std::size_t planned_images{};           ///< number of images that memory is planned for; 0: that of the batch
  std::size_t embedding{};                ///< features of an image's embedding
  std::size_t embedding_rows{};           ///< 1, or as many as images; 0: as many as images
  std::optional<dropout_draw> dropout{};  ///< empty: dropout layers do nothing
};

/// One layer by itself, with everything that a network gives it: a flat parameter array, an embedding, memory and a
/// batch, on any backend. Values are passed as plain vectors in double. `forward` and `backward` allocate nothing.
template <class L, class Be, class T>
class layer_trial {
 public:
  /// Throws `error` for an input that the layer cannot take.
  layer_trial(Be& be, L layer, const layer_trial_sizes& sizes) : layer_trial{be, std::move(layer), sizes, {}} {}

  const parameter_layout& layout() const { return layout_; }
  /// The shape of the output for the batch.
  const shape& output() const { return out_; }

  void set_x(const std::vector<double>& values) { set(values, plain_in_.view(), x_.view()); }
  void set_dy(const std::vector<double>& values) { set(values, plain_out_.view(), dy_.view()); }
  void set_parameters(const std::vector<double>& values) { upload(values, parameters_); }
  void set_embedding(const std::vector<double>& values) { upload(values, embedding_); }

  /// Sets the parameters and runs the forward pass.
  void forward() {
    const view_of<Be, const T> parameters = of(parameters_);
    layer_.prepare(be_, parameters, memory_);
    pass_.parameters = parameters;
    pass_.embedding = of(embedding_);
    layer_.forward(be_, pass_, x_.view(), y_.view(), memory_);
  }
  /// Runs the backward pass; gradients that are not wanted stay unchanged. The gradient of the embedding is wanted if
  /// those of the parameters are.
  void backward(bool wants_dx = true, bool wants_gradients = true) {
    pass<Be, T> p = pass_;
    if (wants_gradients) {
      p.gradients = of(gradients_);
      p.d_embedding = of(d_embedding_);
      if (!p.d_embedding.empty()) be_.for_each(detail::set_zero{}, p.d_embedding);
    }
    layer_.backward(be_, p, x_.view(), dy_.view(), wants_dx ? dx_.view() : view_of<Be, T>{}, memory_);
  }

  std::vector<double> y() { return unpacked(y_.view(), plain_out_.view()); }
  std::vector<double> dx() { return unpacked(dx_.view(), plain_in_.view()); }
  std::vector<double> gradients() { return downloaded(of(gradients_)); }
  std::vector<double> d_embedding() { return downloaded(of(d_embedding_)); }

  /// Fills everything that the passes set with NaN, so that omitted parts are visible.
  void spoil() {
    const auto spoilt = [&](view_of<Be, T> v) {
      const std::vector<T> values(v.size(), std::numeric_limits<T>::quiet_NaN());
      if (!v.empty()) be_.upload(values.data(), v);
    };
    spoilt(y_.view());
    spoilt(dx_.view());
    spoilt(of(gradients_));
  }

 private:
  using array = array_of<Be, T>;

  layer_trial(Be& be, L layer, const layer_trial_sizes& sizes, parameter_layout layout)
      : be_{be},
        layer_{std::move(layer)},
        out_{placed(layer_, layout, sizes).with_images(sizes.in.images)},
        layout_{std::move(layout)},
        with_{be, (std::max)(sizes.planned_images, sizes.in.images)},
        memory_{layer_.memory(with_, sizes.in.with_images(1))},
        x_{be.template make<T>(sizes.in)},
        dx_{be.template make<T>(sizes.in)},
        plain_in_{be.template make<T>(sizes.in)},
        y_{be.template make<T>(out_)},
        dy_{be.template make<T>(out_)},
        plain_out_{be.template make<T>(out_)} {
    with_.finish();
    const std::size_t images = sizes.in.images, rows = sizes.embedding_rows == 0 ? images : sizes.embedding_rows;
    if (sizes.embedding > 0) {
      embedding_.emplace(be.template make<T>({rows, sizes.embedding, 1, 1}));
      d_embedding_.emplace(be.template make<T>({images, sizes.embedding, 1, 1}));
    }
    if (layout_.count() > 0) {
      parameters_.emplace(be.template make<T>({1, 1, 1, layout_.count()}));
      gradients_.emplace(be.template make<T>({1, 1, 1, layout_.count()}));
    }
    pass_.images = images;
    pass_.dropout = sizes.dropout;
  }

  static shape placed(L& layer, parameter_layout& layout, const layer_trial_sizes& sizes) {
    placement to{layout, sizes.embedding};
    return layer.place(to, "layer", sizes.in.with_images(1));
  }
  static view_of<Be, T> of(std::optional<array>& a) { return a ? a->view() : view_of<Be, T>{}; }

  void set(const std::vector<double>& values, view_of<Be, T> plain, view_of<Be, T> to) {
    const std::vector<T> converted(values.begin(), values.end());
    be_.upload(converted.data(), plain);
    pack(be_, view_of<Be, const T>{plain}, to);
  }
  void upload(const std::vector<double>& values, std::optional<array>& to) {
    const std::vector<T> converted(values.begin(), values.end());
    if (to) be_.upload(converted.data(), to->view());
  }
  std::vector<double> unpacked(view_of<Be, T> from, view_of<Be, T> plain) {
    unpack(be_, view_of<Be, const T>{from}, plain);
    return downloaded(plain);
  }
  std::vector<double> downloaded(view_of<Be, T> from) {
    std::vector<T> values(from.empty() ? 0 : from.size());
    if (!values.empty()) be_.download(view_of<Be, const T>{from}, values.data());
    return {values.begin(), values.end()};
  }

  Be& be_;
  L layer_;
  shape out_;
  parameter_layout layout_;
  planning<Be, T> with_;
  memory_of<L, Be, T> memory_;
  array x_, dx_, plain_in_, y_, dy_, plain_out_;  // the plain ones hold values that are copied from and to the host
  std::optional<array> embedding_, d_embedding_, parameters_, gradients_;
  pass<Be, T> pass_{};
};

}  // namespace softscore::inline SOFTSCORE_ABI
