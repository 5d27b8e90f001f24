#pragma once

#include <algorithm>
#include <cstddef>

#include <softscore/backend/conv2d_shape.hpp>
#include <softscore/backend/tbb/scratch.hpp>
#include <softscore/backend/tbb/slots.hpp>
#include <softscore/backend/tbb/tile_products.hpp>
#include <softscore/backend/tbb/winograd_tiles.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/host_array.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// A 'same' 3 x 3 convolution by Winograd's F(4 x 4, 3 x 3) (Lavin and Gray 2016, Section 4.1). Planes are cut into
// tiles of 4 x 4 outputs, which read 6 x 6 inputs. At each of the 36 points, the channels of several tiles at once are
// multiplied as matrices. The pass from dy to dx is the same with mirrored kernels. The gradient of the weights sums
// the products of the tiles' transforms over all tiles and is transformed back once. Both channel counts are multiples
// of W, and activations are in blocks of W channels: (N, C/W, H, W', W).
//
// If there are many tiles, the threads divide them, and each thread reads all weights. If there are few, the threads
// share their transforms, and each thread computes some of the output's channels with only the weights of these.
// Neither changes a sum.
template <std::size_t W>
class winograd_conv2d {
  using spectra = winograd_spectra<W>;

 public:
  static bool serves(const conv2d_shape& s) {
    return s.kernel.is(winograd::taps) && s.stride == 1 && s.is_same() && s.in_channels % W == 0 &&
           s.out_channels % W == 0;
  }

  winograd_conv2d(const tbb_backend& be, const conv2d_shape& sizes, const tbb_scratch<float>& scratch)
      : sizes_{sizes}, tiles_{sizes.height, sizes.width}, scratch_{scratch} {
    const std::size_t all = (std::min)(sizes.images * tiles_.per_image(), few), threads = be.threads();
    const auto both = [&](std::size_t count) {
      return spectra{nullptr, in_blocks(), count}.size() + spectra{nullptr, out_blocks(), count}.size();
    };
    const std::size_t most_blocks = (std::max)(in_blocks(), out_blocks());
    const std::size_t weights =
        points * (std::max)(weight_step(in_blocks(), out_blocks()), weight_step(out_blocks(), in_blocks()));
    const std::size_t many_tiles = weights + threads * both(chunk);
    const std::size_t few_tiles =
        both(all) + threads * (spectra{nullptr, pair, all}.size() + points * weight_step(most_blocks, pair));
    scratch_.reserve((std::max)({many_tiles, few_tiles, gradient_scratch(threads)}));
  }

  void prepare(tbb_backend&, const float*) { uses_ = 0; }

  // Bias and addend may be null.
  void forward(tbb_backend& be, std::size_t images, const float* x, const float* weight, const float* bias,
               const float* addend, float* y) {
    convolve(be, images, forward_kernels(weight), kept_weights(be, weight), x, bias, addend, y);
  }

  // dx, dbias, and dweight together with dbias may be null.
  void backward(tbb_backend& be, std::size_t images, const float* x, const float* weight, const float* dy, float* dx,
                float* dweight, float* dbias) {
    if (dx != nullptr) convolve(be, images, backward_kernels(weight), nullptr, dy, nullptr, nullptr, dx);
    if (dweight == nullptr) return;
    weight_gradient(be, images, x, dy, dweight, dbias);
  }

 private:
  static constexpr std::size_t points = spectra::points;
  static constexpr std::size_t chunk = 48;  // tiles whose transforms one thread holds at a time
  static constexpr std::size_t few = 64;    // tiles of a batch whose transforms all threads share
  static constexpr std::size_t pair = 2;    // blocks of the output that are multiplied at once
  static constexpr std::size_t taps = winograd::taps * winograd::taps;

  // The kernels of one direction: those from channel `from` to the W channels from `to * W` on begin at `at(from, to)`
  // and are `lane_step` apart.
  struct kernels {
    const float* weight;
    std::size_t from_blocks, to_blocks, from_step, lane_step;
    bool mirrored;

    const float* at(std::size_t from, std::size_t to) const { return weight + from * from_step + to * W * lane_step; }
  };
  kernels forward_kernels(const float* weight) const {
    return {weight, in_blocks(), out_blocks(), taps, sizes_.in_channels * taps, false};
  }
  kernels backward_kernels(const float* weight) const {
    return {weight, out_blocks(), in_blocks(), sizes_.in_channels * taps, taps, true};
  }

  std::size_t in_blocks() const { return sizes_.in_channels / W; }
  std::size_t out_blocks() const { return sizes_.out_channels / W; }
  // The distance from one point's weights (output block, input channel, W) to the next one's.
  static std::size_t weight_step(std::size_t from_blocks, std::size_t to_blocks) {
    return (from_blocks * W * to_blocks + 1) * W;
  }

  // Returns the transformed forward weights, or null. A training step uses weights once, or twice if it recomputes: it
  // transforms them where they are used, into memory that all convolutions share. The transforms of weights that are
  // used more often are kept; they are four times as large as the weights.
  const float* kept_weights(tbb_backend& be, const float* weight) {
    constexpr std::size_t often = 3;
    if (uses_ < often && ++uses_ == often) {
      if (weights_.view().empty())
        weights_ = host_array<float>{shape{1, 1, 1, points * weight_step(in_blocks(), out_blocks())}};
      transform_weights(be, forward_kernels(weight), raw(weights_.view()));
    }
    return uses_ == often ? raw(weights_.view()) : nullptr;
  }

  // Transforms all weights, with one task for the W kernels of one channel that share a vector.
  static void transform_weights(tbb_backend& be, const kernels& of, float* out) {
    const std::size_t channels = of.from_blocks * W, stride = weight_step(of.from_blocks, of.to_blocks);
    be.parallel(channels * of.to_blocks, [&](std::size_t task) {
      transform_winograd_taps<W>(of.at(task % channels, task / channels), of.lane_step, of.mirrored, out + task * W,
                                 stride);
    });
  }

  // The forward pass, or, with the other kernels, the pass from dy to dx. `kept`: transformed weights, or null.
  void convolve(tbb_backend& be, std::size_t images, const kernels& of, const float* kept, const float* from,
                const float* bias, const float* addend, float* to) {
    const std::size_t all = images * tiles_.per_image();
    if (all <= few) return convolve_few(be, all, of, kept, from, bias, addend, to);
    const std::size_t stride = weight_step(of.from_blocks, of.to_blocks);
    float* memory = scratch_.data();
    if (kept == nullptr) {
      transform_weights(be, of, memory);
      kept = memory;
    }
    memory += points * stride;
    const spectra in{memory, of.from_blocks, chunk}, out{memory + in.size(), of.to_blocks, chunk};
    // A small batch is divided evenly.
    const std::size_t size = std::clamp<std::size_t>((all + be.threads() - 1) / be.threads(), 1, chunk);
    parallel_parts(be, (all + size - 1) / size, [&](std::size_t part, std::size_t k) {
      const std::size_t first = k * size, count = (std::min)(size, all - first);
      const spectra in_part = moved(in, part * (in.size() + out.size())),
                    out_part = moved(out, part * (in.size() + out.size()));
      for (std::size_t n = 0; n < count; ++n) transform(from, first + n, in_part, n);
      multiply(in_part, kept, stride, out_part, count);
      transform_back(out_part, first, count, 0, of.to_blocks, bias, addend, to);
    });
  }

  void convolve_few(tbb_backend& be, std::size_t all, const kernels& of, const float* kept, const float* from,
                    const float* bias, const float* addend, float* to) {
    const spectra in{scratch_.data(), of.from_blocks, all};
    be.parallel(all, [&](std::size_t n) { transform(from, n, in, n); });
    const std::size_t channels = of.from_blocks * W, own_step = weight_step(of.from_blocks, pair);
    const spectra out{in.data + in.size(), pair, all};
    const std::size_t each = out.size() + points * own_step;
    parallel_parts(be, (of.to_blocks + pair - 1) / pair, [&](std::size_t part, std::size_t task) {
      const std::size_t first = task * pair, blocks = (std::min)(pair, of.to_blocks - first);
      spectra out_part = moved(out, part * each);
      out_part.blocks = blocks;
      const float* weights = kept == nullptr ? nullptr : kept + first * channels * W;
      std::size_t stride = weight_step(of.from_blocks, of.to_blocks);
      if (kept == nullptr) {
        float* const own = out_part.data + out.size();
        for (std::size_t b = 0; b < blocks; ++b)
          for (std::size_t c = 0; c < channels; ++c)
            transform_winograd_taps<W>(of.at(c, first + b), of.lane_step, of.mirrored, own + (b * channels + c) * W,
                                       own_step);
        weights = own;
        stride = own_step;
      }
      multiply(in, weights, stride, out_part, all);
      transform_back(out_part, 0, all, first, of.to_blocks, bias, addend, to);
    });
  }

  static spectra moved(spectra of, std::size_t by) {
    of.data += by;
    return of;
  }

  void transform(const float* x, std::size_t tile, const spectra& out, std::size_t at) const {
    const auto p = tiles_.place_of(tile);
    for (std::size_t b = 0; b < out.blocks; ++b)
      tiles_.transform(x + (p.image * out.blocks + b) * tiles_.pixels() * W, p, out.of(at, b), out.stride());
  }
  // Transforms tiles of the blocks of dy from `first_block` on, whose sums are added to `bias`.
  void transform_gradient(const float* dy, std::size_t first, std::size_t count, std::size_t first_block,
                          const spectra& out, float* bias) const {
    for (std::size_t n = 0; n < count; ++n) {
      const auto p = tiles_.place_of(first + n);
      for (std::size_t b = 0; b < out.blocks; ++b)
        tiles_.transform_gradient(dy + (p.image * out_blocks() + first_block + b) * tiles_.pixels() * W, p,
                                  out.of(n, b), out.stride(), bias + b * W);
    }
  }

  static void multiply(const spectra& in, const float* weights, std::size_t stride, const spectra& out,
                       std::size_t count) {
    for (std::size_t point = 0; point < points; ++point) {
      const typename tile_products<W>::multiplication product{
          weights + point * stride, in.step(), out.blocks, in.step(), W, out.step(), W, nullptr};
      tile_products<W>::multiply(product, in.at(point), out.at(point), count);
    }
  }

  // The blocks of `in` are those from `first_block` on, of `all_blocks` in the output.
  void transform_back(const spectra& in, std::size_t first, std::size_t count, std::size_t first_block,
                      std::size_t all_blocks, const float* bias, const float* addend, float* y) const {
    for (std::size_t n = 0; n < count; ++n) {
      const auto p = tiles_.place_of(first + n);
      for (std::size_t b = 0; b < in.blocks; ++b) {
        const std::size_t block = first_block + b, plane = (p.image * all_blocks + block) * tiles_.pixels() * W;
        tiles_.transform_back(in.of(n, b), in.stride(), bias == nullptr ? nullptr : bias + block * W,
                              addend == nullptr ? nullptr : addend + plane, p, y + plane);
      }
    }
  }

  // The gradient of the weights. A task takes a slot of images and a group of output channels, and keeps its sums at
  // all points in a cache near its thread; a slot then has 9 numbers per kernel.
  void weight_gradient(tbb_backend& be, std::size_t images, const float* x, const float* dy, float* dweight,
                       float* dbias) {
    const batch_slots slots{images};
    const std::size_t weights = sizes_.weight().size(), slot_size = weights + sizes_.out_channels;
    // A group repeats the transforms of x.
    const std::size_t channels = group_blocks(be.threads(), slots.count(), out_blocks()) * W;
    const std::size_t groups = (sizes_.out_channels + channels - 1) / channels;
    float* const of_slots = scratch_.data();
    float* const memory = of_slots + slots.count() * slot_size;
    const std::size_t each = gradient_part(channels / W);
    parallel_parts(be, slots.count() * groups, [&](std::size_t part, std::size_t task) {
      const std::size_t slot = task / groups, first_block = task % groups * channels / W;
      const std::size_t blocks = (std::min)(channels / W, out_blocks() - first_block);
      const spectra of_x{memory + part * each, in_blocks(), chunk}, of_dy{of_x.data + of_x.size(), blocks, chunk};
      float* const sums = of_dy.data + of_dy.size();
      float* const of_bias = of_slots + slot * slot_size + weights;
      std::fill_n(of_bias + first_block * W, blocks * W, 0.0f);
      const std::size_t step = sum_step(blocks);
      float* const bias_of_chunk = sums + points * step;
      const typename tile_products<W>::correlation product{
          blocks * W, in_blocks(), in_blocks(), of_dy.step(), W, of_x.step(), W};
      const std::size_t begin = slots.first(slot) * tiles_.per_image(), end = slots.last(slot) * tiles_.per_image();
      for (std::size_t first = begin; first < end; first += chunk) {
        const std::size_t count = (std::min)(chunk, end - first);
        for (std::size_t n = 0; n < count; ++n) transform(x, first + n, of_x, n);
        std::fill_n(bias_of_chunk, blocks * W, 0.0f);
        transform_gradient(dy, first, count, first_block, of_dy, bias_of_chunk);
        for (std::size_t c = 0; c < blocks * W; ++c) of_bias[first_block * W + c] += bias_of_chunk[c];
        for (std::size_t point = 0; point < points; ++point)
          tile_products<W>::correlate(product, sums + point * step, of_dy.at(point), of_x.at(point), count,
                                      first != begin);
      }
      float* to = (slots.count() == 1 ? dweight : of_slots + slot * slot_size) + first_block * W * sizes_.fan_in();
      for (std::size_t k = 0; k < blocks * W * in_blocks(); ++k, to += W * taps)
        collect_winograd_taps<W>(sums + k * W, step, to);
    });
    if (slots.count() > 1) add_slots(be, of_slots, slot_size, slots.count(), dweight, weights);
    if (dbias != nullptr) add_slots(be, of_slots + weights, slot_size, slots.count(), dbias, sizes_.out_channels);
  }

  std::size_t sum_step(std::size_t blocks) const { return (blocks * W * in_blocks() + 1) * W; }
  std::size_t gradient_part(std::size_t blocks) const {
    return spectra{nullptr, in_blocks(), chunk}.size() + spectra{nullptr, blocks, chunk}.size() +
           points * sum_step(blocks) + blocks * W;
  }
  std::size_t gradient_scratch(std::size_t threads) const {
    const std::size_t slots = batch_slots{sizes_.images}.count();
    return threads * gradient_part(out_blocks()) + slots * (sizes_.weight().size() + sizes_.out_channels);
  }

  conv2d_shape sizes_;
  winograd_tiles<W> tiles_;
  std::size_t uses_{};           // of the current weights
  host_array<float> weights_{};  // kept weights, if any: (point, output block, input channel, W)
  tbb_scratch<float> scratch_;
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
