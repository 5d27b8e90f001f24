#pragma once

#include <array>
#include <cstddef>
#include <numbers>
#include <string>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/per_image.hpp>
#include <softscore/core/quantity.hpp>
#include <softscore/nn/concept.hpp>
#include <softscore/nn/linear.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {
inline std::array<double, 32> features_of(double t) {
  std::array<double, 32> features{};
  double frequency = 0;
  for (std::size_t k = 0; k < 16; ++k) {
    features[k] = std::sin(frequency * t);
    features[16 + k] = std::cos(frequency * t) - 1;
    frequency = k == 0 ? 2 * std::numbers::pi : frequency * 1.5;
  }
  return features;
}
}  // namespace detail

/// The 32 numbers that stand for a time: sin(f t) for f = 0 and 2 pi 1.5^k, k = 0 .. 14, then cos(f t) - 1 for the same
/// f (Knottenbelt n.d., Section 1a).
inline std::array<double, 32> time_features(diffusion_time t) { return detail::features_of(t.value); }

/// The four dense layers 32 -> 128 -> 128 -> 128 -> C of Knottenbelt n.d., Section 1a, with GELU between them but not
/// at the end.
struct time_parameters {
  static constexpr std::size_t features = 32, hidden = 128;
  std::array<linear, 4> layers;

  template <class Layout>
  time_parameters(Layout& layout, const std::string& prefix, std::size_t channels)
      : layers{linear{layout, prefix + ".0", features, hidden}, linear{layout, prefix + ".2", hidden, hidden},
               linear{layout, prefix + ".4", hidden, hidden}, linear{layout, prefix + ".6", hidden, channels}} {}
};

/// From times to one number per image and channel, with what the backward pass needs of the last forward pass.
template <class Be, class T>
class time_embedding {
 public:
  time_embedding(Be& be, const time_parameters& parameters, std::size_t images)
      : layers_{parameters.layers},
        host_features_(images * time_parameters::features),
        features_{be.template make<T>({images, time_parameters::features, 1, 1})} {
    for (const linear& layer : layers_) {
      const shape s{images, layer.outputs(), 1, 1};
      pre_.push_back(be.template make<T>(s));
      post_.push_back(be.template make<T>(s));
      d_.push_back(be.template make<T>(s));
    }
  }

  /// The embedding (rows,C) of the first `rows` times.
  template <NetworkTime Time>
  view_of<Be, const T> forward(Be& be, view_of<Be, const T> flat, per_image<Time> times, std::size_t rows) {
    for (std::size_t n = 0; n < rows; ++n) {
      const auto of_time = detail::features_of(times[n].value);
      for (std::size_t k = 0; k < of_time.size(); ++k)
        host_features_[n * of_time.size() + k] = static_cast<T>(of_time[k]);
    }
    be.upload(host_features_.data(), features_.view().images(0, rows));  // (rows,32)
    for (std::size_t k = 0; k < 4; ++k) {
      const auto z = pre_[k].view().images(0, rows);  // (rows,128), at last (rows,C)
      layers_[k].template forward<Be, T>(be, flat, input(k, rows), z);
      if (k < 3) gelu_forward(be, z, post_[k].view().images(0, rows));
    }
    return pre_[3].view().images(0, rows);
  }

  /// Where the caller writes the gradient (rows,C) with respect to the embedding before `backward`.
  view_of<Be, T> gradient(std::size_t rows) { return d_[3].view().images(0, rows); }

  /// From `gradient(rows)` to the embedding's part of `gradients`. Times get no gradient.
  void backward(Be& be, view_of<Be, const T> flat, std::size_t rows, view_of<Be, T> gradients) {
    for (std::size_t k = 4; k-- > 0;) {
      const auto dz = d_[k].view().images(0, rows);
      const auto dx = k > 0 ? d_[k - 1].view().images(0, rows) : view_of<Be, T>{};
      layers_[k].template backward<Be, T>(be, flat, input(k, rows), dz, dx, gradients);
      if (k > 0) gelu_backward(be, pre_[k - 1].view().images(0, rows), dx, dx);
    }
  }

 private:
  view_of<Be, const T> input(std::size_t k, std::size_t rows) {
    return k == 0 ? features_.view().images(0, rows) : post_[k - 1].view().images(0, rows);
  }

  std::array<linear, 4> layers_;
  std::vector<T> host_features_;
  array_of<Be, T> features_;                 // (N,32)
  std::vector<array_of<Be, T>> pre_, post_;  // before and after GELU: (N,128) three times, then (N,C)
  std::vector<array_of<Be, T>> d_;           // gradients with respect to pre_
};

}  // namespace softscore::inline SOFTSCORE_ABI
