#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>

#include <softscore/backend/conv2d_shape.hpp>
#include <softscore/backend/tbb/frequency_products.hpp>
#include <softscore/backend/tbb/plane_fft.hpp>
#include <softscore/backend/tbb/scratch.hpp>
#include <softscore/backend/tbb/slots.hpp>
#include <softscore/core/host_array.hpp>

namespace softscore::detail {

// A 'same' convolution as products of spectra: one N x N transform takes a whole plane, because the kernel reaches only
// (k-1)/2 past each side, and what wraps around at circular length N >= H + (k-1)/2 meets zeros. For large kernels that
// is many times fewer multiplications, and less rounding, than the direct sum. All three passes are such products:
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
    return s.in_channels % W == 0 && s.out_channels % W == 0 && s.stride == 1 && s.kernel <= N &&
           std::max(s.height, s.width) + s.radius() <= N;
  }

  fft_conv2d(const tbb_backend& be, const conv2d_shape& sizes, const tbb_scratch<float>& scratch)
      : sizes_{sizes},
        forward_weights_{shape{1, 1, 1, plane::bins * weight_step()}},
        backward_weights_{shape{1, 1, 1, plane::bins * weight_step()}},
        scratch_{scratch} {
    scratch_.reserve(be.threads() * part_size() + sum_groups{be, sizes.images}.buffers() * slot_size());
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

  // dx, and dweight together with dbias, may be null.
  void backward(tbb_backend& be, std::size_t images, const float* x, const float*, const float* dy, float* dx,
                float* dweight, float* dbias) {
    if (dweight == nullptr) return convolve(be, images, backward_weights_, dy, out_blocks(), nullptr, dx, in_blocks());
    const sum_groups groups{be, images};
    float* sums = scratch_.data() + be.threads() * part_size();
    parallel_parts(be, groups.buffers(), [&](std::size_t part, std::size_t buffer) {
      const spectra of_x{scratch_.data() + part * part_size(), in_blocks(), backward_chunk};
      const spectra of_dx{of_x.data + of_x.size(), in_blocks(), backward_chunk};
      const spectra of_dy{of_dx.data + of_dx.size(), out_blocks(), backward_chunk};
      float* sum = sums + buffer * slot_size();
      for (std::size_t first = groups.first(buffer); first < groups.last(buffer); first += backward_chunk) {
        const std::size_t count = std::min(backward_chunk, groups.last(buffer) - first);
        const bool add = first != groups.first(buffer);
        transform(x, first, count, of_x);
        transform(dy, first, count, of_dy);
        for (std::size_t bin = 0; bin < plane::bins; ++bin)
          frequency_products<W>::correlate(sum + bin * sum_step(), of_dy.at(bin), of_x.at(bin), sizes_.out_channels,
                                           in_blocks(), count, of_dy.step(), of_x.step(), add);
        add_constants(of_dy, count, sum + plane::bins * sum_step(), add);
        if (dx != nullptr) {
          multiply(backward_weights_, of_dy, of_dx, count);
          transform_back(of_dx, first, count, nullptr, dx);
        }
      }
    });
    be.parallel(sizes_.out_channels * in_blocks(), [&](std::size_t task) {
      collect_taps(sums + task * 2 * W, groups, dweight, task / in_blocks(), task % in_blocks());
    });
    for (std::size_t b = 0; b < out_blocks(); ++b)
      store(dbias + b * W, groups.template total<W>(sums + plane::bins * sum_step() + b * W, slot_size()));
  }

 private:
  // Images whose spectra one thread holds at a time: enough to use each weight often, few enough for the caches.
  static constexpr std::size_t forward_chunk = 8, backward_chunk = 16;

  // How the sums over a batch are shared out. Sums of spectra are large, and two threads do better with one buffer each
  // than with one per slot; so where a slot is one chunk, runs of four slots form a group that one thread may sum in
  // place. Kept apart or not, the sums are added in the same order: within each group, then over the groups.
  class sum_groups {
   public:
    sum_groups(const tbb_backend& be, std::size_t images)
        : slots_{images},
          grouped_{slots_.last(0) - slots_.first(0) <= backward_chunk},
          merged_{grouped_ && be.threads() <= groups()} {}

    std::size_t buffers() const { return merged_ ? groups() : slots_.count(); }
    std::size_t first(std::size_t buffer) const { return slots_.first(merged_ ? buffer * run : buffer); }
    std::size_t last(std::size_t buffer) const {
      return slots_.last(merged_ ? std::min((buffer + 1) * run, slots_.count()) - 1 : buffer);
    }

    // The sum of all buffers, which are `step` apart.
    template <std::size_t Lanes>
    SOFTSCORE_INLINE simd<Lanes> total(const float* buffer, std::size_t step) const {
      const std::size_t together = grouped_ && !merged_ ? run : 1, count = buffers();
      simd<Lanes> sum{};
      for (std::size_t first = 0; first < count; first += together) {
        simd<Lanes> of_group = load<Lanes>(buffer + first * step);
        for (std::size_t k = first + 1; k < std::min(first + together, count); ++k)
          of_group += load<Lanes>(buffer + k * step);
        sum += of_group;
      }
      return sum;
    }

   private:
    static constexpr std::size_t run = 4;
    std::size_t groups() const { return (slots_.count() + run - 1) / run; }

    batch_slots slots_;
    bool grouped_, merged_;
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
  // Spectra of x, dx and dy.
  std::size_t part_size() const {
    return 2 * spectra{nullptr, in_blocks(), backward_chunk}.size() +
           spectra{nullptr, out_blocks(), backward_chunk}.size();
  }

  // The forward pass, or with the other weights that from dy to dx.
  void convolve(tbb_backend& be, std::size_t images, const host_array<float>& weights, const float* from,
                std::size_t from_blocks, const float* bias, float* to, std::size_t to_blocks) {
    // A small batch is shared out evenly.
    const std::size_t size = std::clamp<std::size_t>((images + be.threads() - 1) / be.threads(), 1, forward_chunk);
    parallel_parts(be, (images + size - 1) / size, [&](std::size_t part, std::size_t k) {
      const std::size_t first = k * size, count = std::min(size, images - first);
      const spectra in{scratch_.data() + part * part_size(), from_blocks, size};
      const spectra out{in.data + in.size(), to_blocks, size};
      transform(from, first, count, in);
      multiply(weights, in, out, count);
      transform_back(out, first, count, bias, to);
    });
  }

  std::size_t in_blocks() const { return sizes_.in_channels / W; }
  std::size_t out_blocks() const { return sizes_.out_channels / W; }
  std::size_t taps() const { return sizes_.kernel * sizes_.kernel; }
  std::size_t pixels() const { return sizes_.height * sizes_.width; }
  // From one bin of the weights' spectra to the next, and the same for the sums of the weights' gradient.
  std::size_t weight_step() const { return (sizes_.in_channels * out_blocks() + 1) * 2 * W; }
  std::size_t sum_step() const { return (sizes_.out_channels * in_blocks() + 1) * 2 * W; }
  std::size_t slot_size() const { return plane::bins * sum_step() + sizes_.out_channels; }

  // Where tap `a` lies on the circle, mirrored for the adjoint.
  std::size_t place(std::size_t a, bool mirrored = false) const {
    return (mirrored ? N + a - sizes_.radius() : N + sizes_.radius() - a) % N;
  }

  // Calls body with the side of the planes as a constant where it is the one of the networks here, else with 0.
  template <class Body>
  void with_side(const Body& body) const {
    if (N == 32 && sizes_.height == 28 && sizes_.width == 28)
      body(std::integral_constant < std::size_t, N == 32 ? 28 : 0 > {});
    else
      body(std::integral_constant<std::size_t, 0>{});
  }

  // Spectra of `count` images from `first` on.
  void transform(const float* x, std::size_t first, std::size_t count, const spectra& out) const {
    with_side([&](auto side) {
      for (std::size_t n = 0; n < count; ++n)
        for (std::size_t b = 0; b < out.blocks; ++b)
          transform_plane<side>(x + ((first + n) * out.blocks + b) * pixels() * W, out.of(n, b));
    });
  }

  void transform_back(const spectra& in, std::size_t first, std::size_t count, const float* bias, float* y) const {
    with_side([&](auto side) {
      for (std::size_t n = 0; n < count; ++n)
        for (std::size_t b = 0; b < in.blocks; ++b)
          transform_plane_back<side>(in.of(n, b), bias == nullptr ? nullptr : bias + b * W,
                                     y + ((first + n) * in.blocks + b) * pixels() * W);
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

  void multiply(const host_array<float>& weights, const spectra& in, const spectra& out, std::size_t count) const {
    const float* h = raw(weights.view());
    for (std::size_t bin = 0; bin < plane::bins; ++bin)
      frequency_products<W>::multiply(h + bin * weight_step(), in.at(bin), out.at(bin), in.blocks * W, out.blocks,
                                      count, in.step(), out.step());
  }

  // The spectrum of W kernels, `lane_step` apart, divided as the inverse transform will need it.
  [[gnu::noinline]] void transform_taps(const float* weight, std::size_t lane_step, bool mirrored, float* out) const {
    const std::size_t k = sizes_.kernel;
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
  [[gnu::noinline]] void collect_taps(const float* sums, const sum_groups& groups, float* dweight, std::size_t channel,
                                      std::size_t block) const {
    const std::size_t k = sizes_.kernel;
    alignas(plane::cache_line) float sum[plane::bins * 2 * W];
    for (std::size_t bin = 0; bin < plane::bins; ++bin)
      for (std::size_t half = 0; half < 2 * W; half += W) {
        const float* at = sums + bin * sum_step() + half;
        for (std::size_t buffer = 0; buffer < groups.buffers(); ++buffer)
          __builtin_prefetch(at + buffer * slot_size() + ahead * sum_step(), 0, 2);
        store(sum + bin * 2 * W + half, groups.template total<W>(at, slot_size()));
      }
    typename plane::half_way work;
    plane::inverse_columns({sum, 2 * W}, N, work);
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
  tbb_scratch<float> scratch_;          // per part the spectra of x, dx and dy; then per slot the sums
};

}  // namespace softscore::detail
