#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>

#include <softscore/backend/conv2d_shape.hpp>
#include <softscore/backend/tbb/backend.hpp>
#include <softscore/backend/tbb/frequency_products.hpp>
#include <softscore/backend/tbb/plane_fft.hpp>
#include <softscore/backend/tbb/plane_tiles.hpp>
#include <softscore/backend/tbb/scratch.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/host_array.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// A 'same' convolution with a square kernel as products of spectra. One N x N transform takes a whole plane, because
// the kernel reaches only (k-1)/2 past each side, and what wraps around at circular length N >= H + (k-1)/2 meets
// zeros. Larger planes are cut into tiles (plane_tiles.hpp). For large kernels this takes many times fewer
// multiplications, and has less rounding, than the direct sum. All three passes are such products:
//
//     y = h * x            the spectrum of h is prepared with the weights: tap (a, b) lies at (r - a, r - b) modulo N
//     dx = h^ * dy         with the conjugate spectrum and the channels' roles exchanged
//     dh = dy * x^         summed over tiles as spectra, transformed back once, read at the taps' places
//
// The result of the inverse transform is needed at the tile's own pixels, so the other factor is read with their
// neighbors: x for y, dy for dx. For dh one factor has the neighbors and the other has not, so that each pair of pixels
// counts once.
//
// Both channel counts are multiples of W, and activations are in blocks of W channels: (N, C/W, H, W', W).
template <std::size_t N, std::size_t W>
class fft_conv2d {
 public:
  using plane = plane_fft<N, W>;

  static bool serves(const conv2d_shape& s) {
    return s.in_channels % W == 0 && s.out_channels % W == 0 && s.stride == 1 && s.is_same() &&
           s.kernel.is(s.kernel.height) && s.kernel.height <= N &&
           plane_tiles::serve(s.height, s.width, s.kernel.height / 2, N);
  }

  fft_conv2d(const tbb_backend& be, const conv2d_shape& sizes, const tbb_scratch<float>& scratch)
      : sizes_{sizes},
        tiles_{sizes.height, sizes.width, sizes.kernel.height / 2, N},
        forward_weights_{shape{1, 1, 1, plane::bins * weight_step()}},
        backward_weights_{shape{1, 1, 1, plane::bins * weight_step()}},
        scratch_{scratch} {
    const auto of = [&](std::size_t tiles) {
      return spectra_size(in_blocks(), tiles) + spectra_size(out_blocks(), tiles);
    };
    const std::size_t tiles = sizes.images * tiles_.count(), summed = (std::min)(tiles, chunk);
    scratch_.reserve(
        (std::max)(of((std::min)(tiles, most_tiles(be))), of(summed) + sums_size() + summed * sizes.out_channels));
  }

  void prepare(tbb_backend& be, const float* weight) {
    // One task transforms W kernels of one channel, one per lane.
    const std::size_t forward_tasks = sizes_.in_channels * out_blocks(),
                      tasks = forward_tasks + sizes_.out_channels * in_blocks();
    be.parallel(tasks, [&](std::size_t task) {
      if (task < forward_tasks) {
        const std::size_t block = task / sizes_.in_channels, channel = task % sizes_.in_channels;
        transform_taps(weight + (block * W * sizes_.in_channels + channel) * taps(), sizes_.in_channels * taps(), false,
                       raw(forward_weights_.view()) + task * 2 * W);
      } else {
        const std::size_t block = (task - forward_tasks) / sizes_.out_channels,
                          channel = (task - forward_tasks) % sizes_.out_channels;
        transform_taps(weight + (channel * sizes_.in_channels + block * W) * taps(), taps(), true,
                       raw(backward_weights_.view()) + (task - forward_tasks) * 2 * W);
      }
    });
  }

  void forward(tbb_backend& be, std::size_t images, const float* x, const float*, const float* bias, float* y) {
    convolve(be, images, forward_weights_, x, in_blocks(), bias, y, out_blocks());
  }

  // dx, dbias, and dweight together with dbias may be null.
  void backward(tbb_backend& be, std::size_t images, const float* x, const float*, const float* dy, float* dx,
                float* dweight, float* dbias) {
    if (dx == nullptr && dweight == nullptr) return;
    if (dweight == nullptr) return convolve(be, images, backward_weights_, dy, out_blocks(), nullptr, dx, in_blocks());
    const std::size_t size = chunk_of(images * tiles_.count(), chunk);
    const spectra of_x{scratch_.data(), in_blocks(), size};
    const spectra of_dy{of_x.data + of_x.size(), out_blocks(), size};
    float* const sums = of_dy.data + of_dy.size();
    float* const of_bias = sums + sums_size();
    each_chunk(
        be, images, size,
        [&](const run& before, const run& now, std::size_t n, std::size_t b) {
          if (dx != nullptr) transform_back(of_x, before, n, b, nullptr, dx);
          transform(x, now, n, b, of_x, alone);
          transform(dy, now, n, b, of_dy, with_neighbors);
          sum_pixels(dy, now, n, b, of_bias);
        },
        [&](const run& now, std::size_t bin) {
          const bool add = now.first != 0;
          frequency_products<W>::correlate(sums + bin * sum_step(), of_dy.at(bin), of_x.at(bin), sizes_.out_channels,
                                           in_blocks(), now.count, of_dy.step(), of_x.step(), add);
          if (bin == 0) add_constants(of_dy, now.count, of_bias, sums + plane::bins * sum_step(), add);
          if (dx != nullptr) multiply(backward_weights_, of_dy, of_x, bin, now.count);  // x has been used
        });
    be.parallel(sizes_.out_channels * in_blocks(), [&](std::size_t task) {
      collect_taps(sums + task * 2 * W, dweight, task / in_blocks(), task % in_blocks());
    });
    if (dbias != nullptr) std::copy_n(sums + plane::bins * sum_step(), sizes_.out_channels, dbias);
  }

 private:
  // Consecutive tiles of a batch, which are numbered through all images.
  struct run {
    std::size_t first, count;
  };

  // Spectra of some tiles at once: (bin, tile, block, 2 W). Bins are an odd number of blocks apart, so that the columns
  // of a plane do not map to the same lines of the cache.
  struct spectra {
    float* data;
    std::size_t blocks, tiles;

    std::size_t step() const { return blocks * 2 * W; }
    std::size_t stride() const { return (blocks * tiles / 2 * 2 + 1) * 2 * W; }
    std::size_t size() const { return plane::bins * stride(); }
    float* at(std::size_t bin) const { return data + bin * stride(); }
    typename plane::spectrum of(std::size_t tile, std::size_t block) const {
      return {data + tile * step() + block * 2 * W, stride()};
    }
  };
  static std::size_t spectra_size(std::size_t blocks, std::size_t tiles) {
    return spectra{nullptr, blocks, tiles}.size();
  }

  // Tiles whose spectra are held at a time: enough to use each weight often, and few enough for the caches. Sums over a
  // batch are computed chunk by chunk, so the chunks must not depend on the threads.
  static constexpr std::size_t chunk = 16;
  static std::size_t most_tiles(const tbb_backend& be) { return (std::max)(chunk, be.threads()); }
  // Chunks of at most `most` tiles, all of about the same size.
  static std::size_t chunk_of(std::size_t tiles, std::size_t most) {
    const std::size_t chunks = (tiles + most - 1) / most;
    return (tiles + chunks - 1) / chunks;
  }

  // Calls planes(the chunk before, this chunk, tile in it, block), then products(this chunk, bin), for each chunk of
  // `size` tiles, and the former once more at the end. The threads share each step, so they all work on the same
  // spectra, and each needs only the weights of its own bins, which fit into its last cache.
  template <class Planes, class Products>
  void each_chunk(tbb_backend& be, std::size_t images, std::size_t size, const Planes& planes,
                  const Products& products) const {
    const std::size_t blocks = (std::max)(in_blocks(), out_blocks()), tiles = images * tiles_.count();
    run before{0, 0};
    for (std::size_t first = 0;; first += size) {
      const run now{first, first < tiles ? (std::min)(size, tiles - first) : 0};
      be.parallel(size * blocks, [&](std::size_t task) { planes(before, now, task / blocks, task % blocks); });
      if (now.count == 0) return;
      be.parallel(plane::bins, [&](std::size_t bin) { products(now, bin); });
      before = now;
    }
  }

  // The forward pass, or, with the other weights, the pass from dy to dx.
  void convolve(tbb_backend& be, std::size_t images, const host_array<float>& weights, const float* from,
                std::size_t from_blocks, const float* bias, float* to, std::size_t to_blocks) {
    const std::size_t size = chunk_of(images * tiles_.count(), most_tiles(be));
    const spectra in{scratch_.data(), from_blocks, size};
    const spectra out{in.data + in.size(), to_blocks, size};
    each_chunk(
        be, images, size,
        [&](const run& before, const run& now, std::size_t n, std::size_t b) {
          transform_back(out, before, n, b, bias, to);
          transform(from, now, n, b, in, with_neighbors);
        },
        [&](const run& now, std::size_t bin) { multiply(weights, in, out, bin, now.count); });
  }

  std::size_t in_blocks() const { return sizes_.in_channels / W; }
  std::size_t out_blocks() const { return sizes_.out_channels / W; }
  std::size_t radius() const { return sizes_.kernel.height / 2; }
  std::size_t taps() const { return sizes_.kernel.taps(); }
  std::size_t pixels() const { return sizes_.height * sizes_.width; }
  // The distance from one bin of the weights' spectra to the next, and the same for the sums of the weights' gradient.
  std::size_t weight_step() const { return (sizes_.in_channels * out_blocks() + 1) * 2 * W; }
  std::size_t sum_step() const { return (sizes_.out_channels * in_blocks() + 1) * 2 * W; }
  std::size_t sums_size() const { return plane::bins * sum_step() + sizes_.out_channels; }

  // The position of tap `a` on the circle, mirrored for the adjoint.
  std::size_t place(std::size_t a, bool mirrored = false) const {
    return (mirrored ? N + a - radius() : N + radius() - a) % N;
  }

  // The pixels of a tile in the whole array, block b of its image.
  struct patch {
    std::size_t first;  // number of the first one
    plane_tile of;
  };
  patch patch_of(const run& tiles, std::size_t n, std::size_t b, std::size_t blocks) const {
    const std::size_t number = tiles.first + n, image = number / tiles_.count();
    const plane_tile of = tiles_.at(number % tiles_.count());
    return {((image * blocks + b) * sizes_.height + of.rows.first) * sizes_.width + of.columns.first, of};
  }

  // Calls body with the side of the planes as a constant if it is one of those of the networks here, otherwise with 0.
  template <class Body>
  void with_side(const Body& body) const {
    if (N == 32 && sizes_.height == 28 && sizes_.width == 28)
      body(std::integral_constant < std::size_t, N == 32 ? 28 : 0 > {});
    else
      body(std::integral_constant<std::size_t, 0>{});
  }

  // A rectangle of pixels, with `row_step` numbers from row to row, and its position in the transform. A plane whose
  // side is a constant is not cut.
  template <std::size_t Side>
  struct window {
    static constexpr std::size_t top = 0, left = 0, height = Side, width = Side, row_step = Side * W;
  };
  template <std::size_t Side>
    requires(Side == 0)
  struct window<Side> {
    std::size_t top, left, height, width, row_step;
  };

  // Computes the spectrum of block b of tile n of a run, if there is one, with the pixels around the tile or with zeros
  // there.
  static constexpr bool alone = false, with_neighbors = true;
  void transform(const float* x, const run& tiles, std::size_t n, std::size_t b, const spectra& out,
                 bool neighbors) const {
    if (n >= tiles.count || b >= out.blocks) return;
    const patch p = patch_of(tiles, n, b, out.blocks);
    with_side([&](auto side) {
      if constexpr (side > 0) {
        transform_plane(x + p.first * W, window<side>{}, out.of(n, b));
      } else {
        const auto& [rows, columns] = p.of;
        if (neighbors)
          transform_plane(x + (p.first - rows.before * sizes_.width - columns.before) * W,
                          window<0>{0, 0, rows.read(), columns.read(), sizes_.width * W}, out.of(n, b));
        else
          transform_plane(x + p.first * W, own_pixels(p.of), out.of(n, b));
      }
    });
  }

  void transform_back(const spectra& in, const run& tiles, std::size_t n, std::size_t b, const float* bias,
                      float* y) const {
    if (n >= tiles.count || b >= in.blocks) return;
    const patch p = patch_of(tiles, n, b, in.blocks);
    const float* const of_block = bias == nullptr ? nullptr : bias + b * W;
    with_side([&](auto side) {
      if constexpr (side > 0)
        transform_plane_back(in.of(n, b), window<side>{}, of_block, y + p.first * W);
      else
        transform_plane_back(in.of(n, b), own_pixels(p.of), of_block, y + p.first * W);
    });
  }

  window<0> own_pixels(const plane_tile& of) const {
    return {of.rows.before, of.columns.before, of.rows.count, of.columns.count, sizes_.width * W};
  }

  // Memory is slower than the transforms, and its prefetcher does not follow their access pattern. So rows are
  // prefetched into the second-level cache before they are needed, whether of this plane or the next.
  static constexpr std::size_t ahead = 8;  // rows
  template <class Window>
  static void prefetch_rows(const float* row, const Window& at) {
    for (std::size_t r = ahead; r < ahead + 2; ++r)  // in the order of memory
      for (std::size_t n = 0; n < at.width; ++n) __builtin_prefetch(row + r * at.row_step + n * W, 0, 2);
  }

  // Transforms one window of W channels (height, width, W). Rows are processed in pairs; an odd last one is paired with
  // a row of zeros.
  template <class Window>
  [[gnu::noinline]] void transform_plane(const float* x, const Window& at, const typename plane::spectrum& out) const {
    alignas(plane::cache_line) static constexpr float zeros[N * W] = {};
    typename plane::half_way work;
    for (std::size_t row = 0; row < at.top; ++row) plane::clear_row(work, row);
    for (std::size_t row = 0; row < at.height; row += 2) {
      const float* a = x + row * at.row_step;
      const float* b = row + 1 < at.height ? a + at.row_step : zeros;
      prefetch_rows(a, at);
      plane::forward_rows(work, at.top + row, at.top + row + 1, [&](std::size_t n) SOFTSCORE_INLINE_LAMBDA {
        const std::size_t column = n - at.left;  // past the width if there is none
        return column < at.width ? simd_complex<W>{load<W>(a + column * W), load<W>(b + column * W)}
                                 : simd_complex<W>{};
      });
    }
    plane::forward_columns(work, at.top + at.height, out);
  }

  template <class Window>
  [[gnu::noinline]] void transform_plane_back(const typename plane::spectrum& in, const Window& at, const float* bias,
                                              float* y) const {
    const simd<W> added = bias == nullptr ? simd<W>{} : load<W>(bias);
    alignas(plane::cache_line) float unwanted[N * W];
    typename plane::half_way work;
    plane::inverse_columns(in, at.top + at.height, work);
    for (std::size_t row = 0; row < at.height; row += 2) {
      const bool pair = row + 1 < at.height;
      float* a = y + row * at.row_step;
      float* b = pair ? a + at.row_step : unwanted;
      prefetch_rows(a, at);
      plane::inverse_rows(work, at.top + row, at.top + (pair ? row + 1 : row),
                          [&](std::size_t n, simd_complex<W> v) SOFTSCORE_INLINE_LAMBDA {
                            const std::size_t column = n - at.left;
                            if (column < at.width) {
                              store(a + column * W, v.re + added);
                              store(b + column * W, v.im + added);
                            }
                          });
    }
  }

  void multiply(const host_array<float>& weights, const spectra& in, const spectra& out, std::size_t bin,
                std::size_t count) const {
    frequency_products<W>::multiply(raw(weights.view()) + bin * weight_step(), in.at(bin), out.at(bin), in.blocks * W,
                                    out.blocks, count, in.step(), out.step());
  }

  // Computes the spectrum of W kernels, `lane_step` apart, divided as the inverse transform requires.
  [[gnu::noinline]] void transform_taps(const float* weight, std::size_t lane_step, bool mirrored, float* out) const {
    const std::size_t k = sizes_.kernel.height;
    typename plane::half_way work{};
    double sum[W] = {};  // for frequency 0: its error is an error of the mean of every plane, equal in all images
    for (std::size_t a = 0; a < k; a += 2) {
      simd<W> rows[2][N] = {};
      for (std::size_t i = 0; i < std::min<std::size_t>(2, k - a); ++i)
        for (std::size_t b = 0; b < k; ++b) {
          float lanes[W];
          for (std::size_t lane = 0; lane < W; ++lane) {
            lanes[lane] = weight[lane * lane_step + (a + i) * k + b];
            sum[lane] += static_cast<double>(lanes[lane]);
          }
          rows[i][place(b, mirrored)] = load<W>(lanes) * plane::scale;
        }
      // The kernel is odd, so its last row is paired with one that holds no taps.
      plane::forward_rows(work, place(a, mirrored), place(a + 1, mirrored), [&](std::size_t n) SOFTSCORE_INLINE_LAMBDA {
        return simd_complex<W>{rows[0][n], rows[1][n]};
      });
    }
    plane::forward_columns(work, N, {out, weight_step()});
    for (std::size_t lane = 0; lane < W; ++lane) out[lane] = static_cast<float>(sum[lane]) * (2 * plane::scale);
  }

  // The gradient of the kernels from block `block` of the input to output channel `channel`, from the sums of spectra.
  [[gnu::noinline]] void collect_taps(float* sums, float* dweight, std::size_t channel, std::size_t block) const {
    const std::size_t k = sizes_.kernel.height;
    typename plane::half_way work;
    plane::inverse_columns({sums, sum_step()}, N, work);
    for (std::size_t a = 0; a < k; a += 2) {
      simd<W> rows[2][N];
      plane::inverse_rows(work, place(a), a + 1 < k ? place(a + 1) : place(a),
                          [&](std::size_t n, simd_complex<W> v) SOFTSCORE_INLINE_LAMBDA {
                            rows[0][n] = v.re * plane::scale;
                            rows[1][n] = v.im * plane::scale;
                          });
      for (std::size_t i = 0; i < std::min<std::size_t>(2, k - a); ++i)
        for (std::size_t b = 0; b < k; ++b)
          for (std::size_t lane = 0; lane < W; ++lane)
            dweight[(channel * sizes_.in_channels + block * W + lane) * taps() + (a + i) * k + b] =
                rows[i][place(b)][lane];
    }
  }

  // Sums of the pixels of tiles, (tile, channels), if planes are cut.
  void sum_pixels(const float* dy, const run& tiles, std::size_t n, std::size_t b, float* sums) const {
    if (tiles_.whole() || n >= tiles.count || b >= out_blocks()) return;
    const auto [first, of] = patch_of(tiles, n, b, out_blocks());
    simd<W> sum{};
    for (std::size_t row = 0; row < of.rows.count; ++row) {
      const float* const from = dy + (first + row * sizes_.width) * W;
      simd<W> of_row{};
      for (std::size_t column = 0; column < of.columns.count; ++column) of_row += load<W>(from + column * W);
      sum += of_row;
    }
    store(sums + (n * out_blocks() + b) * W, sum);
  }

  // sums (channels) (+)= the sums of the planes. The sum of a whole plane is half the real part of its spectrum at
  // frequency 0; that of a tile is computed separately, because the spectrum contains its neighbors too.
  void add_constants(const spectra& of_dy, std::size_t count, const float* of_tiles, float* sums, bool add) const {
    for (std::size_t b = 0; b < out_blocks(); ++b) {
      simd<W> sum{};
      for (std::size_t n = 0; n < count; ++n)
        sum += tiles_.whole() ? of_dy.of(n, b).get(0).re * 0.5f
                              : as_vector(load<W>(of_tiles + (n * out_blocks() + b) * W));
      store(sums + b * W, add ? load<W>(sums + b * W) + sum : sum);
    }
  }

  conv2d_shape sizes_;
  plane_tiles tiles_;
  host_array<float> forward_weights_;   // (bin, output block, input channel, 2 W)
  host_array<float> backward_weights_;  // (bin, input block, output channel, 2 W)
  tbb_scratch<float> scratch_;          // the spectra of a chunk's x and y; then the sums of the gradients
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
