#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include <softscore/core/noise.hpp>
#include <softscore/nn/concept.hpp>
#include <softscore/nn/network_input.hpp>
#include <softscore/nn/parameter_store.hpp>

/// A small network that takes labels and has dropout, for tests of training. On the host, whatever the backend:
/// phi = mask (gain_c x + row_{label, c} + slope_c t) for channel c, with a row for images without a class.
class labelled_network : public softscore::parameter_store {
 public:
  labelled_network(const softscore::shape& image, std::size_t classes, double dropout = 0.0)
      : parameter_store{layout_of(image.channels, classes)},
        image_{image.with_images(1)},
        classes_{classes},
        dropout_{dropout} {}

  const softscore::shape& image() const { return image_; }
  std::size_t label_count() const { return classes_; }

  template <class T>
  struct memory {
    std::vector<T> parameters, x, y, mask, gradients;
    std::vector<softscore::class_label> labels;
    std::vector<double> times, sums;
  };
  template <class T, class Be>
  memory<T> workspace(Be&, const softscore::shape& most) const {
    const std::size_t n = parameter_count();
    const std::vector<T> images(most.size());
    return {std::vector<T>(n),
            images,
            images,
            images,
            std::vector<T>(n),
            std::vector<softscore::class_label>(most.images),
            std::vector<double>(most.images),
            std::vector<double>(n)};
  }

  template <class Be, class T, softscore::NetworkInput Input>
  void evaluate(Be& be, const Input& asked, softscore::in_of<Be, T> x,
                std::type_identity_t<softscore::view_of<Be, T>> out, memory<T>& ws) const {
    const auto values = parameters();
    std::copy(values.begin(), values.end(), ws.parameters.begin());
    run<Be, T>(be, softscore::network_input{asked}, x, out, ws);
  }
  template <class Be, class T, softscore::NetworkInput Input>
  void forward(Be& be, softscore::in_of<Be, T> params, const Input& asked, softscore::in_of<Be, T> x,
               std::type_identity_t<softscore::view_of<Be, T>> out, memory<T>& ws) const {
    be.download(params, ws.parameters.data());
    run<Be, T>(be, softscore::network_input{asked}, x, out, ws);
  }
  template <class Be, class T>
  void backward(Be& be, softscore::in_of<Be, T>, softscore::in_of<Be, T> dout,
                std::type_identity_t<softscore::view_of<Be, T>> dx,
                std::type_identity_t<softscore::view_of<Be, T>> gradients, memory<T>& ws) const {
    be.download(dout, ws.y.data());
    std::fill(ws.sums.begin(), ws.sums.end(), 0.0);
    each_element(dout.extent().images, [&](std::size_t n, std::size_t c, std::size_t i) {
      const double d = static_cast<double>(ws.mask[i]) * static_cast<double>(ws.y[i]);
      ws.sums[c] += d * static_cast<double>(ws.x[i]);
      ws.sums[row(ws.labels[n]) + c] += d;
      ws.sums[slopes() + c] += d * ws.times[n];
      ws.y[i] *= ws.mask[i] * ws.parameters[c];
    });
    if (!dx.empty()) be.upload(ws.y.data(), dx);
    if (gradients.empty()) return;
    std::transform(ws.sums.begin(), ws.sums.end(), ws.gradients.begin(), [](double s) { return static_cast<T>(s); });
    be.upload(ws.gradients.data(), gradients);
  }
  template <class Be, class T>
  void pullback(Be& be, softscore::in_of<Be, T> v, std::type_identity_t<softscore::view_of<Be, T>> out,
                memory<T>& ws) const {
    backward<Be, T>(be, v, v, out, {}, ws);
  }

 private:
  static softscore::parameter_layout layout_of(std::size_t channels, std::size_t classes) {
    softscore::parameter_layout layout;
    layout.add("gain.weight", {channels}, 0.0, 0.5);
    layout.add("label.weight", {classes + 1, channels}, 0.0, 0.5);
    layout.add("time.weight", {channels}, 0.0, 0.5);
    return layout;
  }
  std::size_t row(softscore::class_label label) const {
    return image_.channels * (1 + (label < 0 ? classes_ : static_cast<std::size_t>(label)));
  }
  std::size_t slopes() const { return image_.channels * (2 + classes_); }

  template <class Body>
  void each_element(std::size_t images, const Body& body) const {
    std::size_t i = 0;
    for (std::size_t n = 0; n < images; ++n)
      for (std::size_t c = 0; c < image_.channels; ++c)
        for (std::size_t k = 0; k < image_.plane(); ++k) body(n, c, i++);
  }

  template <class Be, class T>
  void run(Be& be, const softscore::network_input<softscore::diffusion_time>& input, softscore::view_of<Be, const T> x,
           softscore::view_of<Be, T> out, memory<T>& ws) const {
    const std::size_t images = x.extent().images;
    be.download(x, ws.x.data());
    for (std::size_t n = 0; n < images; ++n) {
      ws.labels[n] = input.given.labels.empty() ? softscore::no_class : input.given.labels[n];
      ws.times[n] = input.times[n].value;
    }
    each_element(images, [&](std::size_t n, std::size_t c, std::size_t i) {
      ws.mask[i] = T{1};
      if (input.dropout && dropout_ > 0.0) {
        const softscore::noise_key key{input.dropout->seed, softscore::noise_stream::dropout, input.dropout->step, 0};
        const auto element = static_cast<std::uint32_t>(i - n * image_.per_image());
        const bool kept = softscore::uniform(key, input.dropout->first_image + n, element) >= dropout_;
        ws.mask[i] = kept ? static_cast<T>(1.0 / (1.0 - dropout_)) : T{};
      }
      ws.y[i] = ws.mask[i] * (ws.parameters[c] * ws.x[i] + ws.parameters[row(ws.labels[n]) + c] +
                              ws.parameters[slopes() + c] * static_cast<T>(ws.times[n]));
    });
    be.upload(ws.y.data(), out);
  }

  softscore::shape image_;
  std::size_t classes_;
  double dropout_;
};
static_assert(softscore::Network<labelled_network, softscore::archetype_backend, float> &&
              softscore::TakesConditioning<labelled_network, softscore::archetype_backend, float>);
