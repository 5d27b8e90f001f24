#pragma once

#include <algorithm>
#include <cstddef>

#include <softscore/backend/attention_shape.hpp>
#include <softscore/backend/tbb/backend.hpp>
#include <softscore/backend/tbb/scratch.hpp>
#include <softscore/backend/tbb/slots.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// Attention in double: activations are in plain order, so loops over the tokens of a plane run over neighbors, and
// compilers vectorize them. A task is an image and a head.
class plain_attention {
 public:
  plain_attention(tbb_backend& be, const attention_shape& sizes, const tbb_scratch<double>& scratch)
      : sizes_{sizes},
        parts_{parts_of(be, sizes.images * sizes.heads)},
        scale_{1 / std::sqrt(static_cast<double>(sizes.head_width))},
        scratch_{scratch} {
    scratch_.reserve(parts_ * 2 * sizes.tokens());
  }

  void forward(tbb_backend& be, std::size_t images, const double* qkv, double* y) {
    const std::size_t tokens = sizes_.tokens();
    each_head(be, images, [&](std::size_t image, std::size_t head, double* weights, double*) {
      double* out = y + (image * sizes_.channels() + head * sizes_.head_width) * tokens;
      for (std::size_t i = 0; i < tokens; ++i) {
        set_weights(qkv, image, head, i, weights);
        for (std::size_t c = 0; c < sizes_.head_width; ++c)
          out[c * tokens + i] = dot(plane(qkv, image, 2, head, c), weights);
      }
    });
  }

  void backward(tbb_backend& be, std::size_t images, const double* qkv, const double* y, const double* dy,
                double* dqkv) {
    const std::size_t tokens = sizes_.tokens();
    each_head(be, images, [&](std::size_t image, std::size_t head, double* weights, double* slopes) {
      const std::size_t first = (image * sizes_.channels() + head * sizes_.head_width) * tokens;
      for (std::size_t c = 0; c < sizes_.head_width; ++c)
        for (const std::size_t which : {std::size_t{1}, std::size_t{2}})
          std::fill_n(plane(dqkv, image, which, head, c), tokens, 0.0);
      for (std::size_t i = 0; i < tokens; ++i) {
        set_weights(qkv, image, head, i, weights);
        std::fill_n(slopes, tokens, 0.0);
        double mean = 0;
        for (std::size_t c = 0; c < sizes_.head_width; ++c) {
          const double of_y = dy[first + c * tokens + i];
          mean += of_y * y[first + c * tokens + i];
          add(of_y, plane(qkv, image, 2, head, c), slopes);
          add(of_y, weights, plane(dqkv, image, 2, head, c));
        }
        for (std::size_t j = 0; j < tokens; ++j) slopes[j] = scale_ * weights[j] * (slopes[j] - mean);
        for (std::size_t c = 0; c < sizes_.head_width; ++c) {
          plane(dqkv, image, 0, head, c)[i] = dot(plane(qkv, image, 1, head, c), slopes);
          add(plane(qkv, image, 0, head, c)[i], slopes, plane(dqkv, image, 1, head, c));
        }
      }
    });
  }

 private:
  template <class Body>
  void each_head(tbb_backend& be, std::size_t images, const Body& body) {
    const std::size_t count = images * sizes_.heads, parts = (std::min)(parts_, count);
    be.parallel(parts, [&](std::size_t part) {
      double* const row = scratch_.data() + part * 2 * sizes_.tokens();
      const std::size_t last = (part + 1) * count / parts;
      for (std::size_t i = part * count / parts; i < last; ++i)
        body(i / sizes_.heads, i % sizes_.heads, row, row + sizes_.tokens());
    });
  }
  template <class T>
  T* plane(T* batch, std::size_t image, std::size_t which, std::size_t head, std::size_t c) const {
    return batch + (image * 3 * sizes_.channels() + sizes_.channel(which, head, c)) * sizes_.tokens();
  }

  // The weights of all tokens for token i.
  void set_weights(const double* qkv, std::size_t image, std::size_t head, std::size_t i, double* weights) const {
    const std::size_t tokens = sizes_.tokens();
    std::fill_n(weights, tokens, 0.0);
    for (std::size_t c = 0; c < sizes_.head_width; ++c)
      add(scale_ * plane(qkv, image, 0, head, c)[i], plane(qkv, image, 1, head, c), weights);
    const double greatest = *std::max_element(weights, weights + tokens);
    double sum = 0;
    for (std::size_t j = 0; j < tokens; ++j) sum += weights[j] = std::exp(weights[j] - greatest);
    for (std::size_t j = 0; j < tokens; ++j) weights[j] /= sum;
  }

  void add(double factor, const double* from, double* to) const {
    for (std::size_t j = 0; j < sizes_.tokens(); ++j) to[j] += factor * from[j];
  }
  // With four sums, so that the additions do not wait for each other.
  double dot(const double* a, const double* b) const {
    const std::size_t tokens = sizes_.tokens(), whole = tokens / 4 * 4;
    double sum[4] = {};
    for (std::size_t j = 0; j < whole; j += 4)
      for (std::size_t k = 0; k < 4; ++k) sum[k] += a[j + k] * b[j + k];
    for (std::size_t j = whole; j < tokens; ++j) sum[j - whole] += a[j] * b[j];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
  }

  attention_shape sizes_;
  std::size_t parts_;
  double scale_;
  tbb_scratch<double> scratch_;
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
