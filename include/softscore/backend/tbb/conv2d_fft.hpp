#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>

#include <softscore/backend/conv2d_shape.hpp>
#include <softscore/backend/tbb/backend.hpp>
#include <softscore/backend/tbb/frequency_products.hpp>
#include <softscore/backend/tbb/plane_fft.hpp>
#include <softscore/backend/tbb/scratch.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/host_array.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// A 'same' convolution with a square kernel as products of spectra: one N x N transform takes a whole plane, because
// the kernel reaches only (k-1)/2 past each side, and what wraps around at circular length N >= H + (k-1)/2 meets
// zeros. For large kernels that is many times fewer multiplications, and less rounding, than the direct sum. All three
// passes are such products:
//
//     y = h * x            the spectrum of h is prepared with the weights: tap (a, b) lies at (r - a, r - b) modulo N
//     dx = h^ * dy         with the conjugate spectrum and the channels' roles exchanged
//     dh = dy * x^         summed over images as spectra, transformed back once, read at the taps' places
//
// Both channel counts are multiples of W, and activations are in blocks of W channels: (N, C/W, H, W', W).
template <std::size_t N, std::size_t W>
class fft_conv2d {
 public:
  using plane = plane_fft<N, W>;

  static bool serves(const conv2d_shape& s) {
    return s.in_channels % W == 0 && s.out_channels % W == 0 && s.stride == 1 && s.is_same() &&
           s.kernel.is(s.kernel.height) && s.kernel.height <= N &&
           (std::max)(s.height, s.width) + s.kernel.height / 2 <= N;
  }

  fft_conv2d(const tbb_backend& be, const conv2d_shape& sizes, const tbb_scratch<float>& scratch)
      : sizes_{sizes},
        forward_weights_{shape{1, 1, 1, plane::bins * weight_step()}},
        backward_weights_{shape{1, 1, 1, plane::bins * weight_step()}},
        scratch_{scratch} {
    const auto of = [&](std::size_t images) {
      return spectra_size(in_blocks(), images) + spectra_size(out_blocks(), images);
    };
    scratch_.reserve(
        (std::max)(of((std::min)(sizes.images, most_images(be))), of((std::min)(sizes.images, chunk)) + sums_size()));
  }

  void prepare(tbb_backend& be, const float* weight) {
    // One task transforms one channel's W kernels side by side.
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
    const std::size_t size = chunk_of(images, chunk);
    const spectra of_x{scratch_.data(), in_blocks(), size};
    const spectra of_dy{of_x.data + of_x.size(), out_blocks(), size};
    float* sums = of_dy.data + of_dy.size();
    each_chunk(
        be, images, size,
        [&](const run& before, const run& now, std::size_t n, std::size_t b) {
          if (dx != nullptr) transform_back(of_x, before, n, b, nullptr, dx);
          transform(x, now, n, b, of_x);
          transform(dy, now, n, b, of_dy);
        },
        [&](const run& now, std::size_t bin) {
          const bool add = now.first != 0;
          frequency_products<W>::correlate(sums + bin * sum_step(), of_dy.at(bin), of_x.at(bin), sizes_.out_channels,
                                           in_blocks(), now.count, of_dy.step(), of_x.step(), add);
          if (bin == 0) add_constants(of_dy, now.count, sums + plane::bins * sum_step(), add);
          if (dx != nullptr) multiply(backward_weights_, of_dy, of_x, bin, now.count);  // x has been used
        });
    be.parallel(sizes_.out_channels * in_blocks(), [&](std::size_t task) {
      collect_taps(sums + task * 2 * W, dweight, task / in_blocks(), task % in_blocks());
    });
    if (dbias != nullptr) std::copy_n(sums + plane::bins * sum_step(), sizes_.out_channels, dbias);
  }

 private:
  // Neighbors in a batch.
  struct run {
    std::size_t first, count;
  };

  // Spectra of some images at once: (bin, image, block, 2 W). Bins are an odd number of blocks apart, so that the
  // columns of a plane do not fall on the same lines of the cache.
  struct spectra {
    float* data;
    std::size_t blocks, images;

    std::size_t step() const { return blocks * 2 * W; }
    std::size_t stride() const { return (blocks * images / 2 * 2 + 1) * 2 * W; }
    std::size_t size() const { return plane::bins * stride(); }
    float* at(std::size_t bin) const { return data + bin * stride(); }
    typename plane::spectrum of(std::size_t image, std::size_t block) const {
      return {data + image * step() + block * 2 * W, stride()};
    }
  };
  static std::size_t spectra_size(std::size_t blocks, std::size_t images) {
    return spectra{nullptr, blocks, images}.size();
  }

  // Images whose spectra are held at a time: enough to use each weight often, few enough for the caches. Sums over a
  // batch are made chunk by chunk, so their chunks must not depend on the threads.
  static constexpr std::size_t chunk = 16;
  static std::size_t most_images(const tbb_backend& be) { return (std::max)(chunk, be.threads()); }
  // Chunks of at most `most` images, all of about the same size.
  static std::size_t chunk_of(std::size_t images, std::size_t most) {
    const std::size_t chunks = (images + most - 1) / most;
    return (images + chunks - 1) / chunks;
  }

  // Calls planes(the chunk before, this chunk, image in it, block), then products(this chunk, bin), for each chunk of
  // `size` images, and the former once more at the end. Each step is shared out among the threads: so they all work on
  // the same spectra, and each needs the weights of its own bins only, which is what the last cache has room for.
  template <class Planes, class Products>
  void each_chunk(tbb_backend& be, std::size_t images, std::size_t size, const Planes& planes,
                  const Products& products) const {
    const std::size_t blocks = (std::max)(in_blocks(), out_blocks());
    run before{0, 0};
    for (std::size_t first = 0;; first += size) {
      const run now{first, first < images ? (std::min)(size, images - first) : 0};
      be.parallel(size * blocks, [&](std::size_t task) { planes(before, now, task / blocks, task % blocks); });
      if (now.count == 0) return;
      be.parallel(plane::bins, [&](std::size_t bin) { products(now, bin); });
      before = now;
    }
  }

  // The forward pass, or with the other weights that from dy to dx.
  void convolve(tbb_backend& be, std::size_t images, const host_array<float>& weights, const float* from,
                std::size_t from_blocks, const float* bias, float* to, std::size_t to_blocks) {
    const std::size_t size = chunk_of(images, most_images(be));
    const spectra in{scratch_.data(), from_blocks, size};
    const spectra out{in.data + in.size(), to_blocks, size};
    each_chunk(
        be, images, size,
        [&](const run& before, const run& now, std::size_t n, std::size_t b) {
          transform_back(out, before, n, b, bias, to);
          transform(from, now, n, b, in);
        },
        [&](const run& now, std::size_t bin) { multiply(weights, in, out, bin, now.count); });
  }

  std::size_t in_blocks() const { return sizes_.in_channels / W; }
  std::size_t out_blocks() const { return sizes_.out_channels / W; }
  std::size_t radius() const { return sizes_.kernel.height / 2; }
  std::size_t taps() const { return sizes_.kernel.taps(); }
  std::size_t pixels() const { return sizes_.height * sizes_.width; }
  // From one bin of the weights' spectra to the next, and the same for the sums of the weights' gradient.
  std::size_t weight_step() const { return (sizes_.in_channels * out_blocks() + 1) * 2 * W; }
  std::size_t sum_step() const { return (sizes_.out_channels * in_blocks() + 1) * 2 * W; }
  std::size_t sums_size() const { return plane::bins * sum_step() + sizes_.out_channels; }

  // Where tap `a` lies on the circle, mirrored for the adjoint.
  std::size_t place(std::size_t a, bool mirrored = false) const {
    return (mirrored ? N + a - radius() : N + radius() - a) % N;
  }

  // Calls body with the side of the planes as a constant where it is the one of the networks here, else with 0.
  template <class Body>
  void with_side(const Body& body) const {
    if (N == 32 && sizes_.height == 28 && sizes_.width == 28)
      body(std::integral_constant < std::size_t, N == 32 ? 28 : 0 > {});
    else
      body(std::integral_constant<std::size_t, 0>{});
  }

  // The spectrum of block b of image n of a run, if there is one.
  void transform(const float* x, const run& images, std::size_t n, std::size_t b, const spectra& out) const {
    if (n >= images.count || b >= out.blocks) return;
    with_side([&](auto side) {
      transform_plane<side>(x + ((images.first + n) * out.blocks + b) * pixels() * W, out.of(n, b));
    });
  }

  void transform_back(const spectra& in, const run& images, std::size_t n, std::size_t b, const float* bias,
                      float* y) const {
    if (n >= images.count || b >= in.blocks) return;
    with_side([&](auto side) {
      transform_plane_back<side>(in.of(n, b), bias == nullptr ? nullptr : bias + b * W,
                                 y + ((images.first + n) * in.blocks + b) * pixels() * W);
    });
  }

  // Memory is slower than the transforms, and its prefetcher does not follow their steps; so rows are asked into the
  // second cache before their turn, be they of this plane or the next.
  static constexpr std::size_t ahead = 8;  // rows
  static void prefetch_rows(const float* row, std::size_t width) {
    for (std::size_t n = 0; n < 2 * width; ++n) __builtin_prefetch(row + n * W, 0, 2);
  }

  // One plane of W channels (height, width, W). Rows go in pairs; an odd last one pairs with a row of zeros.
  template <std::size_t Side>
  [[gnu::noinline]] void transform_plane(const float* x, const typename plane::spectrum& out) const {
    alignas(plane::cache_line) static constexpr float zeros[N * W] = {};
    const std::size_t height = Side > 0 ? Side : sizes_.height, width = Side > 0 ? Side : sizes_.width;
    typename plane::half_way work;
    for (std::size_t row = 0; row < height; row += 2) {
      const float* a = x + row * width * W;
      const float* b = row + 1 < height ? a + width * W : zeros;
      prefetch_rows(a + ahead * width * W, width);
      plane::forward_rows(work, row, row + 1, [&](std::size_t n) SOFTSCORE_INLINE_LAMBDA {
        return n < width ? simd_complex<W>{load<W>(a + n * W), load<W>(b + n * W)} : simd_complex<W>{};
      });
    }
    plane::forward_columns(work, height, out);
  }

  template <std::size_t Side>
  [[gnu::noinline]] void transform_plane_back(const typename plane::spectrum& in, const float* bias, float* y) const {
    const std::size_t height = Side > 0 ? Side : sizes_.height, width = Side > 0 ? Side : sizes_.width;
    const simd<W> added = bias == nullptr ? simd<W>{} : load<W>(bias);
    alignas(plane::cache_line) float unwanted[N * W];
    typename plane::half_way work;
    plane::inverse_columns(in, height, work);
    for (std::size_t row = 0; row < height; row += 2) {
      const bool pair = row + 1 < height;
      float* a = y + row * width * W;
      float* b = pair ? a + width * W : unwanted;
      prefetch_rows(a + ahead * width * W, width);
      plane::inverse_rows(work, row, pair ? row + 1 : row,
                          [&](std::size_t n, simd_complex<W> v) SOFTSCORE_INLINE_LAMBDA {
                            if (n < width) {
                              store(a + n * W, v.re + added);
                              store(b + n * W, v.im + added);
                            }
                          });
    }
  }

  void multiply(const host_array<float>& weights, const spectra& in, const spectra& out, std::size_t bin,
                std::size_t count) const {
    frequency_products<W>::multiply(raw(weights.view()) + bin * weight_step(), in.at(bin), out.at(bin), in.blocks * W,
                                    out.blocks, count, in.step(), out.step());
  }

  // The spectrum of W kernels, `lane_step` apart, divided as the inverse transform will need it.
  [[gnu::noinline]] void transform_taps(const float* weight, std::size_t lane_step, bool mirrored, float* out) const {
    const std::size_t k = sizes_.kernel.height;
    typename plane::half_way work{};
    double sum[W] = {};  // for frequency 0: its error is one of the mean of every plane, and the same in all images
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
      // The kernel is odd, so its last row pairs with one that holds no taps.
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

  // The sum of a plane is half the real part of its spectrum at frequency 0: (channels) (+)= the images' sums.
  void add_constants(const spectra& of_dy, std::size_t count, float* sums, bool add) const {
    for (std::size_t b = 0; b < out_blocks(); ++b) {
      simd<W> sum{};
      for (std::size_t n = 0; n < count; ++n) sum += of_dy.of(n, b).get(0).re * 0.5f;
      store(sums + b * W, add ? load<W>(sums + b * W) + sum : sum);
    }
  }

  conv2d_shape sizes_;
  host_array<float> forward_weights_;   // (bin, output block, input channel, 2 W)
  host_array<float> backward_weights_;  // (bin, input block, output channel, 2 W)
  tbb_scratch<float> scratch_;          // the spectra of a chunk's x and y; then the sums of the weights' gradient
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
