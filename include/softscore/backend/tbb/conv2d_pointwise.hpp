#pragma once

#include <algorithm>
#include <cstddef>

#include <softscore/backend/conv2d_shape.hpp>
#include <softscore/backend/joined_planes.hpp>
#include <softscore/backend/tbb/scratch.hpp>
#include <softscore/backend/tbb/slots.hpp>
#include <softscore/backend/tbb/tile_products.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/host_array.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// A 1 x 1 convolution without padding: at each pixel a product of the weights, as a matrix, with the pixel's channels.
// Both channel counts are multiples of W, and activations are in blocks of W channels: (N, C/W, H, W', W).
template <std::size_t W>
class pointwise_conv2d {
 public:
  static constexpr bool reads_parts = true;

  static bool serves(const conv2d_shape& s) {
    return s.kernel.is(1) && s.stride == 1 && s.is_same() && s.in_channels % W == 0 && s.out_channels % W == 0;
  }

  pointwise_conv2d(const tbb_backend&, const conv2d_shape& sizes, const tbb_scratch<float>& scratch)
      : sizes_{sizes},
        forward_weights_{shape{1, 1, 1, sizes.weight().size()}},
        backward_weights_{shape{1, 1, 1, sizes.weight().size()}},
        scratch_{scratch} {
    scratch_.reserve(batch_slots{sizes.images}.count() * slot_size());
  }

  void prepare(tbb_backend&, const float* weight) {
    for (std::size_t o = 0; o < sizes_.out_channels; ++o)
      for (std::size_t i = 0; i < sizes_.in_channels; ++i) {
        const float w = weight[o * sizes_.in_channels + i];
        raw(forward_weights_.view())[(o / W * sizes_.in_channels + i) * W + o % W] = w;
        raw(backward_weights_.view())[(i / W * sizes_.out_channels + o) * W + i % W] = w;
      }
  }

  // Bias and addend may be null.
  void forward(tbb_backend& be, std::size_t images, const joined_planes<const float>& x, const float*,
               const float* bias, const float* addend, float* y) {
    const auto one = [&](std::size_t n, std::size_t p) { return x.at(n, 0) + p * W; };
    const auto two = [&](std::size_t n, std::size_t p) {
      return typename tile_products<W>::two_parts{one(n, p), x.at(n, x.of_first) + p * W, x.of_first};
    };
    const auto from = [&](const auto& places) {
      multiply(be, images, forward_weights_, places, sizes_.in_channels, bias, addend, y, sizes_.out_channels);
    };
    x.in_parts() ? from(two) : from(one);
  }

  // dx, dbias, and dweight together with dbias may be null.
  void backward(tbb_backend& be, std::size_t images, const joined_planes<const float>& x, const float*, const float* dy,
                float* dx, float* dweight, float* dbias) {
    if (dx != nullptr) {
      const auto from = [&](std::size_t n, std::size_t p) { return dy + n * sizes_.out_channels * pixels() + p * W; };
      multiply(be, images, backward_weights_, from, sizes_.out_channels, nullptr, nullptr, dx, sizes_.in_channels);
    }
    if (dweight == nullptr) return;
    const batch_slots slots{images};
    float* sums = scratch_.data();  // per slot: (O, I), then (O)
    const std::size_t weights = sizes_.weight().size(), block = pixels() * W;
    const std::size_t blocks = group_blocks(be.threads(), slots.count(), sizes_.out_channels / W);
    const std::size_t groups = (sizes_.out_channels / W + blocks - 1) / blocks;
    be.parallel(slots.count() * groups, [&](std::size_t task) {
      const std::size_t slot = task / groups, first = task % groups * blocks;
      const std::size_t last = (std::min)(sizes_.out_channels / W, first + blocks);
      float* const of_slot = sums + slot * slot_size();
      float* const sum = of_slot + first * W * sizes_.in_channels;
      float* const of_bias = of_slot + weights;
      std::fill_n(of_bias + first * W, (last - first) * W, 0.0f);
      for (std::size_t n = slots.first(slot); n < slots.last(slot); ++n) {
        const float* of_dy = dy + n * sizes_.out_channels * pixels();
        for (std::size_t p = 0; p < pixels(); p += run) {
          const auto add = [&](std::size_t i, std::size_t channels) {
            tile_products<W>::correlate({(last - first) * W, channels / W, sizes_.in_channels / W, W, block, W, block},
                                        sum + i, of_dy + first * block + p * W, x.at(n, i) + p * W,
                                        (std::min)(run, pixels() - p), n != slots.first(slot) || p > 0);
          };
          add(0, x.of_first);
          if (x.in_parts()) add(x.of_first, x.of_second);
        }
        for (std::size_t b = first; b < last; ++b)
          store(of_bias + b * W, load<W>(of_bias + b * W) + sum_of_plane(of_dy + b * block));
      }
    });
    add_slots(be, sums, slot_size(), slots.count(), dweight, weights);
    if (dbias != nullptr) add_slots(be, sums + weights, slot_size(), slots.count(), dbias, sizes_.out_channels);
  }

 private:
  static constexpr std::size_t run = 192;  // pixels whose channels stay in the caches while all weights are used

  std::size_t pixels() const { return sizes_.height * sizes_.width; }
  std::size_t slot_size() const { return sizes_.weight().size() + sizes_.out_channels; }

  // In four sums, which do not wait for each other.
  simd<W> sum_of_plane(const float* plane) const {
    simd<W> sum[4] = {};
    std::size_t p = 0;
    for (; p + 4 <= pixels(); p += 4)
      unrolled<4>([&](auto k) SOFTSCORE_INLINE_LAMBDA { sum[k] += load<W>(plane + (p + k) * W); });
    for (; p < pixels(); ++p) sum[0] += load<W>(plane + p * W);
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
  }

  // from(n, p): the channels of image n at pixel p.
  template <class From>
  void multiply(tbb_backend& be, std::size_t images, const host_array<float>& weights, const From& from,
                std::size_t from_channels, const float* bias, const float* addend, float* to,
                std::size_t to_channels) const {
    const std::size_t block = pixels() * W, runs = (pixels() + run - 1) / run;
    const typename tile_products<W>::multiplication product{
        raw(weights.view()), from_channels, to_channels / W, W, block, W, block, bias};
    be.parallel(images * runs, [&](std::size_t task) {
      const std::size_t image = task / runs, first = task % runs * run;
      const std::size_t at = image * to_channels * pixels() + first * W;
      tile_products<W>::multiply(product, from(image, first), to + at, (std::min)(run, pixels() - first),
                                 addend == nullptr ? nullptr : addend + at);
    });
  }

  conv2d_shape sizes_;
  host_array<float> forward_weights_;   // (output block, input channel, W)
  host_array<float> backward_weights_;  // (input block, output channel, W)
  tbb_scratch<float> scratch_;          // per slot the sums of dweight and dbias
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
