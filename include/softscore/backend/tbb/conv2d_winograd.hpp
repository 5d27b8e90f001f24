#pragma once

#include <algorithm>
#include <cstddef>

#include <softscore/backend/conv2d_shape.hpp>
#include <softscore/backend/tbb/scratch.hpp>
#include <softscore/backend/tbb/slots.hpp>
#include <softscore/backend/tbb/tile_products.hpp>
#include <softscore/backend/tbb/winograd.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/host_array.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// A 'same' 3 x 3 convolution by Winograd's F(4 x 4, 3 x 3) (Lavin and Gray 2016, Section 4.1): planes are cut into
// tiles of 4 x 4 outputs, which read 6 x 6 inputs. At each of the 36 points the channels of some tiles at once are
// multiplied as matrices. The pass from dy to dx is the same with mirrored kernels; the weights' gradient sums, over
// all tiles, the products of the tiles' transforms and is transformed back once. Both channel counts are multiples of
// W, and activations are in blocks of W channels: (N, C/W, H, W', W).
template <std::size_t W>
class winograd_conv2d {
 public:
  static bool serves(const conv2d_shape& s) {
    return s.kernel.is(winograd::taps) && s.stride == 1 && s.is_same() && s.in_channels % W == 0 &&
           s.out_channels % W == 0;
  }

  winograd_conv2d(const tbb_backend& be, const conv2d_shape& sizes, const tbb_scratch<float>& scratch)
      : sizes_{sizes},
        forward_weights_{shape{1, 1, 1, points * weight_step()}},
        backward_weights_{shape{1, 1, 1, points * weight_step()}},
        scratch_{scratch} {
    scratch_.reserve(be.threads() * part_size() + batch_slots{sizes.images}.count() * slot_size());
  }

  void prepare(tbb_backend& be, const float* weight) {
    // One task transforms the W kernels of one channel that go side by side.
    const std::size_t forward_tasks = sizes_.in_channels * out_blocks(),
                      tasks = forward_tasks + sizes_.out_channels * in_blocks();
    be.parallel(tasks, [&](std::size_t task) {
      if (task < forward_tasks) {
        const std::size_t block = task / sizes_.in_channels, channel = task % sizes_.in_channels;
        transform_taps(weight + (block * W * sizes_.in_channels + channel) * 9, sizes_.in_channels * 9, false,
                       raw(forward_weights_.view()) + task * W);
      } else {
        const std::size_t block = (task - forward_tasks) / sizes_.out_channels,
                          channel = (task - forward_tasks) % sizes_.out_channels;
        transform_taps(weight + (channel * sizes_.in_channels + block * W) * 9, 9, true,
                       raw(backward_weights_.view()) + (task - forward_tasks) * W);
      }
    });
  }

  void forward(tbb_backend& be, std::size_t images, const float* x, const float*, const float* bias, float* y) {
    convolve(be, images, forward_weights_, x, in_blocks(), bias, y, out_blocks());
  }

  // dx, dbias, and dweight together with dbias may be null.
  void backward(tbb_backend& be, std::size_t images, const float* x, const float*, const float* dy, float* dx,
                float* dweight, float* dbias) {
    if (dx != nullptr) convolve(be, images, backward_weights_, dy, out_blocks(), nullptr, dx, in_blocks());
    if (dweight == nullptr) return;
    const batch_slots slots{images};
    float* sums = scratch_.data() + be.threads() * part_size();
    parallel_parts(be, slots.count(), [&](std::size_t part, std::size_t slot) {
      const spectra of_x{scratch_.data() + part * part_size(), in_blocks(), chunk};
      const spectra of_dy{of_x.data + of_x.size(), out_blocks(), chunk};
      float* sum = sums + slot * slot_size();
      float* of_bias = sum + points * sum_step();
      std::fill_n(of_bias, sizes_.out_channels, 0.0f);
      const std::size_t begin = slots.first(slot) * tiles(), end = slots.last(slot) * tiles();
      for (std::size_t first = begin; first < end; first += chunk) {
        const std::size_t count = (std::min)(chunk, end - first);
        transform(x, first, count, of_x);
        transform_gradient(dy, first, count, of_dy, of_bias);
        const typename tile_products<W>::correlation product{
            sizes_.out_channels, in_blocks(), of_dy.step(), W, of_x.step(), W};
        for (std::size_t point = 0; point < points; ++point)
          tile_products<W>::correlate(product, sum + point * sum_step(), of_dy.at(point), of_x.at(point), count,
                                      first != begin);
      }
    });
    be.parallel(sizes_.out_channels * in_blocks(), [&](std::size_t task) {
      collect_taps(sums + task * W, slots.count(), dweight, task / in_blocks(), task % in_blocks());
    });
    if (dbias != nullptr)
      add_slots(be, sums + points * sum_step(), slot_size(), slots.count(), dbias, sizes_.out_channels);
  }

 private:
  static constexpr std::size_t side = winograd::points, points = side * side, step = winograd::outputs;
  static constexpr std::size_t chunk = 48;  // tiles whose transforms one thread holds at a time

  // Transforms of some tiles: (point, tile, block, W). Points lie an odd number of vectors apart, so that those of one
  // tile do not fall on the same lines of the cache.
  struct spectra {
    float* data;
    std::size_t blocks, most;

    std::size_t step() const { return blocks * W; }
    std::size_t stride() const { return (blocks * most / 2 * 2 + 1) * W; }
    std::size_t size() const { return points * stride(); }
    float* at(std::size_t point) const { return data + point * stride(); }
    float* of(std::size_t tile, std::size_t block) const { return data + tile * step() + block * W; }
  };
  struct place {
    std::size_t image, row, column;  // of the tile's first output
  };

  std::size_t in_blocks() const { return sizes_.in_channels / W; }
  std::size_t out_blocks() const { return sizes_.out_channels / W; }
  std::size_t pixels() const { return sizes_.height * sizes_.width; }
  std::size_t tile_columns() const { return (sizes_.width + step - 1) / step; }
  std::size_t tiles() const { return (sizes_.height + step - 1) / step * tile_columns(); }  // of an image
  place place_of(std::size_t tile) const {
    const std::size_t within = tile % tiles();
    return {tile / tiles(), within / tile_columns() * step, within % tile_columns() * step};
  }
  std::size_t part_size() const {
    return spectra{nullptr, in_blocks(), chunk}.size() + spectra{nullptr, out_blocks(), chunk}.size();
  }
  std::size_t weight_step() const { return (sizes_.in_channels * out_blocks() + 1) * W; }
  std::size_t sum_step() const { return (sizes_.out_channels * in_blocks() + 1) * W; }
  std::size_t slot_size() const { return points * sum_step() + sizes_.out_channels; }

  // The forward pass, or with the other weights that from dy to dx.
  void convolve(tbb_backend& be, std::size_t images, const host_array<float>& weights, const float* from,
                std::size_t from_blocks, const float* bias, float* to, std::size_t to_blocks) {
    // A small batch is shared out evenly.
    const std::size_t all = images * tiles(),
                      size = std::clamp<std::size_t>((all + be.threads() - 1) / be.threads(), 1, chunk);
    parallel_parts(be, (all + size - 1) / size, [&](std::size_t part, std::size_t k) {
      const std::size_t first = k * size, count = (std::min)(size, all - first);
      const spectra in{scratch_.data() + part * part_size(), from_blocks, chunk};
      const spectra out{in.data + in.size(), to_blocks, chunk};
      transform(from, first, count, in);
      for (std::size_t point = 0; point < points; ++point) {
        const typename tile_products<W>::multiplication product{raw(weights.view()) + point * weight_step(),
                                                                from_blocks * W,
                                                                to_blocks,
                                                                in.step(),
                                                                W,
                                                                out.step(),
                                                                W,
                                                                nullptr};
        tile_products<W>::multiply(product, in.at(point), out.at(point), count);
      }
      transform_back(out, first, count, bias, to);
    });
  }

  void transform(const float* x, std::size_t first, std::size_t count, const spectra& out) const {
    for (std::size_t n = 0; n < count; ++n) {
      const place p = place_of(first + n);
      const bool inside = p.row > 0 && p.column > 0 && p.row + step < sizes_.height && p.column + step < sizes_.width;
      for (std::size_t b = 0; b < out.blocks; ++b) {
        const float* plane = x + (p.image * out.blocks + b) * pixels() * W;
        if (inside)
          transform_tile<true>(plane, p, out.of(n, b), out.stride());
        else
          transform_tile<false>(plane, p, out.of(n, b), out.stride());
      }
    }
  }

  template <bool Inside>
  [[gnu::noinline]] void transform_tile(const float* plane, const place& p, float* out, std::size_t stride) const {
    simd<W> work[side][side];
    for (std::size_t r = 0; r < side; ++r) {
      simd<W> d[side] = {};
      // A row or column that lies before the plane wraps around to a large number.
      const std::size_t row = p.row + r - 1;
      if (Inside || row < sizes_.height)
        unrolled<side>([&](auto c) SOFTSCORE_INLINE_LAMBDA {
          const std::size_t column = p.column + c - 1;
          if (Inside || column < sizes_.width) d[c] = load<W>(plane + (row * sizes_.width + column) * W);
        });
      winograd::data(d, work[r]);
    }
    for (std::size_t c = 0; c < side; ++c) {
      simd<W> d[side], v[side];
      unrolled<side>([&](auto r) SOFTSCORE_INLINE_LAMBDA { d[r] = work[r][c]; });
      winograd::data(d, v);
      unrolled<side>([&](auto r) SOFTSCORE_INLINE_LAMBDA { store(out + (r * side + c) * stride, v[r]); });
    }
  }

  // The transposed output transform of dy, whose sums are added to `bias`.
  void transform_gradient(const float* dy, std::size_t first, std::size_t count, const spectra& out,
                          float* bias) const {
    for (std::size_t n = 0; n < count; ++n) {
      const place p = place_of(first + n);
      for (std::size_t b = 0; b < out.blocks; ++b)
        transform_gradient_tile(dy + (p.image * out.blocks + b) * pixels() * W, p, out.of(n, b), out.stride(),
                                bias + b * W);
    }
  }

  [[gnu::noinline]] void transform_gradient_tile(const float* plane, const place& p, float* out, std::size_t stride,
                                                 float* bias) const {
    simd<W> work[step][side], sum = load<W>(bias);
    for (std::size_t r = 0; r < step; ++r) {
      simd<W> y[step] = {};
      if (p.row + r < sizes_.height)
        unrolled<step>([&](auto c) SOFTSCORE_INLINE_LAMBDA {
          if (p.column + c < sizes_.width) y[c] = load<W>(plane + ((p.row + r) * sizes_.width + p.column + c) * W);
        });
      sum += (y[0] + y[1]) + (y[2] + y[3]);
      winograd::output_adjoint(y, work[r]);
    }
    store(bias, sum);
    for (std::size_t c = 0; c < side; ++c) {
      simd<W> y[step], v[side];
      unrolled<step>([&](auto r) SOFTSCORE_INLINE_LAMBDA { y[r] = work[r][c]; });
      winograd::output_adjoint(y, v);
      unrolled<side>([&](auto r) SOFTSCORE_INLINE_LAMBDA { store(out + (r * side + c) * stride, v[r]); });
    }
  }

  void transform_back(const spectra& in, std::size_t first, std::size_t count, const float* bias, float* y) const {
    for (std::size_t n = 0; n < count; ++n) {
      const place p = place_of(first + n);
      for (std::size_t b = 0; b < in.blocks; ++b)
        transform_tile_back(in.of(n, b), in.stride(), bias == nullptr ? nullptr : bias + b * W, p,
                            y + (p.image * in.blocks + b) * pixels() * W);
    }
  }

  [[gnu::noinline]] void transform_tile_back(const float* in, std::size_t stride, const float* bias, const place& p,
                                             float* plane) const {
    const simd<W> added = bias == nullptr ? simd<W>{} : load<W>(bias);
    simd<W> work[step][side];
    for (std::size_t c = 0; c < side; ++c) {
      simd<W> m[side], y[step];
      unrolled<side>([&](auto r) SOFTSCORE_INLINE_LAMBDA { m[r] = load<W>(in + (r * side + c) * stride); });
      winograd::output(m, y);
      unrolled<step>([&](auto r) SOFTSCORE_INLINE_LAMBDA { work[r][c] = y[r]; });
    }
    for (std::size_t r = 0; r < (std::min)(step, sizes_.height - p.row); ++r) {
      simd<W> y[step];
      winograd::output(work[r], y);
      unrolled<step>([&](auto c) SOFTSCORE_INLINE_LAMBDA {
        if (p.column + c < sizes_.width) store(plane + ((p.row + r) * sizes_.width + p.column + c) * W, y[c] + added);
      });
    }
  }

  // The transforms of W kernels, `lane_step` apart.
  [[gnu::noinline]] void transform_taps(const float* weight, std::size_t lane_step, bool mirrored, float* out) const {
    simd<W> work[winograd::taps][side];
    for (std::size_t r = 0; r < winograd::taps; ++r) {
      simd<W> g[winograd::taps];
      for (std::size_t c = 0; c < winograd::taps; ++c) {
        float lanes[W];
        const std::size_t tap = r * winograd::taps + c;
        for (std::size_t lane = 0; lane < W; ++lane)
          lanes[lane] = weight[lane * lane_step + (mirrored ? 8 - tap : tap)];
        g[c] = load<W>(lanes);
      }
      winograd::kernel(g, work[r]);
    }
    for (std::size_t c = 0; c < side; ++c) {
      simd<W> g[winograd::taps], u[side];
      unrolled<winograd::taps>([&](auto r) SOFTSCORE_INLINE_LAMBDA { g[r] = work[r][c]; });
      winograd::kernel(g, u);
      unrolled<side>([&](auto r) SOFTSCORE_INLINE_LAMBDA { store(out + (r * side + c) * weight_step(), u[r]); });
    }
  }

  // The gradient of the kernels from block `block` of the input to output channel `channel`, from the slots' sums.
  [[gnu::noinline]] void collect_taps(const float* sums, std::size_t slots, float* dweight, std::size_t channel,
                                      std::size_t block) const {
    simd<W> work[winograd::taps][side];
    for (std::size_t c = 0; c < side; ++c) {
      simd<W> u[side] = {}, g[winograd::taps];
      for (std::size_t slot = 0; slot < slots; ++slot)
        unrolled<side>([&](auto r) SOFTSCORE_INLINE_LAMBDA {
          u[r] += load<W>(sums + slot * slot_size() + (r * side + c) * sum_step());
        });
      winograd::kernel_adjoint(u, g);
      unrolled<winograd::taps>([&](auto r) SOFTSCORE_INLINE_LAMBDA { work[r][c] = g[r]; });
    }
    for (std::size_t r = 0; r < winograd::taps; ++r) {
      simd<W> g[winograd::taps];
      winograd::kernel_adjoint(work[r], g);
      for (std::size_t c = 0; c < winograd::taps; ++c)
        for (std::size_t lane = 0; lane < W; ++lane)
          dweight[(channel * sizes_.in_channels + block * W + lane) * 9 + r * winograd::taps + c] = g[c][lane];
    }
  }

  conv2d_shape sizes_;
  host_array<float> forward_weights_;   // (point, output block, input channel, W)
  host_array<float> backward_weights_;  // (point, input block, output channel, W)
  tbb_scratch<float> scratch_;          // per part the transforms of two activations; then per slot the sums
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
