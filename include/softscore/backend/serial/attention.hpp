#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include <softscore/backend/attention_shape.hpp>
#include <softscore/backend/serial/backend.hpp>
#include <softscore/backend/serial/conv2d.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Attention on the serial backend: its sizes, and memory for one row of tokens.
template <class T>
struct serial_attention {
  attention_shape sizes;
  std::vector<double> weights, slopes;
};

/// Plans attention for at most `sizes.images` images. Throws `error` for unsupported sizes.
template <class T>
serial_attention<T> make_attention(serial_backend&, const attention_shape& sizes,
                                   const serial_scratch& /*scratch*/ = {}) {
  require_valid(sizes);
  return {sizes, std::vector<double>(sizes.tokens()), std::vector<double>(sizes.tokens())};
}

namespace detail {

// The planes (tokens) of one head: number c of token j is at c * each + j of the first plane.
template <class T>
struct head_planes {
  T* first;
  std::size_t each;

  T& operator()(std::size_t c, std::size_t token) const { return first[c * each + token]; }
};
template <class T>
head_planes<T> planes_of(const attention_shape& s, T* image, std::size_t which, std::size_t head) {
  return {image + s.channel(which, head, 0) * s.tokens(),
          (s.channel(which, head, 1) - s.channel(which, head, 0)) * s.tokens()};
}

// weights[j] = softmax over the tokens j of q[i] k[j] / sqrt(head_width). The largest logit is subtracted first, so
// that no exponential overflows.
template <class T>
void attention_weights(const attention_shape& s, head_planes<const T> q, head_planes<const T> k, std::size_t i,
                       std::vector<double>& weights) {
  const double scale = 1 / std::sqrt(static_cast<double>(s.head_width));
  for (std::size_t j = 0; j < s.tokens(); ++j) {
    weights[j] = 0;
    for (std::size_t c = 0; c < s.head_width; ++c)
      weights[j] += scale * static_cast<double>(q(c, i)) * static_cast<double>(k(c, j));
  }
  const double greatest = *std::max_element(weights.begin(), weights.end());
  double sum = 0;
  for (double& w : weights) sum += w = std::exp(w - greatest);
  for (double& w : weights) w /= sum;
}

}  // namespace detail

/// Sets y (N,heads*head_width,H,W) = softmax(q k^T / sqrt(head_width)) v over the H W tokens of each image, separately
/// for each head; qkv is (N,3*heads*head_width,H,W) in the planned order of channels (Vaswani et al. 2017, Eq. 1).
/// Throws `error` if its extent is not the planned one.
template <class T>
void attention_forward(serial_backend&, serial_attention<T>& plan, const_view<T, host_space> qkv,
                       view<T, host_space> y) {
  const attention_shape& s = plan.sizes;
  require_fits(s, qkv.extent());
  for (std::size_t n = 0; n < qkv.extent().images; ++n)
    for (std::size_t head = 0; head < s.heads; ++head) {
      const auto part = [&](std::size_t which) { return detail::planes_of(s, qkv.image(n).data(), which, head); };
      const auto q = part(0), k = part(1), v = part(2);
      T* out = y.image(n).data() + head * s.head_width * s.tokens();
      for (std::size_t i = 0; i < s.tokens(); ++i) {
        detail::attention_weights<T>(s, q, k, i, plan.weights);
        for (std::size_t c = 0; c < s.head_width; ++c) {
          double sum = 0;
          for (std::size_t j = 0; j < s.tokens(); ++j) sum += plan.weights[j] * static_cast<double>(v(c, j));
          out[c * s.tokens() + i] = static_cast<T>(sum);
        }
      }
    }
}

/// Computes the gradient with respect to qkv, from dy, the gradient with respect to y; y is the result of the last
/// forward pass for this qkv. With weights p: dv = p^T dy; ds = p (dy v^T - sum_j p dy v^T); dq = ds k /
/// sqrt(head_width) and dk = ds^T q / sqrt(head_width).
template <class T>
void attention_backward(serial_backend&, serial_attention<T>& plan, const_view<T, host_space> qkv,
                        const_view<T, host_space> /*y*/, const_view<T, host_space> dy, view<T, host_space> dqkv) {
  const attention_shape& s = plan.sizes;
  require_fits(s, qkv.extent());
  const double scale = 1 / std::sqrt(static_cast<double>(s.head_width));
  std::fill_n(raw(dqkv), dqkv.size(), T{});
  for (std::size_t n = 0; n < qkv.extent().images; ++n)
    for (std::size_t head = 0; head < s.heads; ++head) {
      const auto part = [&](std::size_t which) { return detail::planes_of(s, qkv.image(n).data(), which, head); };
      const auto slope = [&](std::size_t which) { return detail::planes_of(s, dqkv.image(n).data(), which, head); };
      const auto q = part(0), k = part(1), v = part(2);
      const auto dq = slope(0), dk = slope(1), dv = slope(2);
      const T* of_y = dy.image(n).data() + head * s.head_width * s.tokens();
      for (std::size_t i = 0; i < s.tokens(); ++i) {
        detail::attention_weights<T>(s, q, k, i, plan.weights);
        double mean = 0;
        for (std::size_t j = 0; j < s.tokens(); ++j) {
          plan.slopes[j] = 0;
          for (std::size_t c = 0; c < s.head_width; ++c)
            plan.slopes[j] += static_cast<double>(of_y[c * s.tokens() + i]) * static_cast<double>(v(c, j));
          mean += plan.weights[j] * plan.slopes[j];
        }
        for (std::size_t j = 0; j < s.tokens(); ++j) {
          const double ds = scale * plan.weights[j] * (plan.slopes[j] - mean);
          for (std::size_t c = 0; c < s.head_width; ++c) {
            dq(c, i) += static_cast<T>(ds * static_cast<double>(k(c, j)));
            dk(c, j) += static_cast<T>(ds * static_cast<double>(q(c, i)));
            dv(c, j) += static_cast<T>(plan.weights[j] * static_cast<double>(of_y[c * s.tokens() + i]));
          }
        }
      }
    }
}

}  // namespace softscore::inline SOFTSCORE_ABI
