#pragma once

#include <algorithm>
#include <cstddef>

#include <softscore/backend/conv2d_shape.hpp>
#include <softscore/backend/tbb/correlate.hpp>
#include <softscore/backend/tbb/scratch.hpp>
#include <softscore/backend/tbb/slots.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/host_array.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// A 'same' convolution as the sum it is, with W channels in the lanes: for any kernel and stride where the channels of
// at least one side make whole blocks of W, such as the first and the last layer of an image network.
template <std::size_t W>
class direct_conv2d {
 public:
  static bool serves(const conv2d_shape& s) { return s.in_channels % W == 0 || s.out_channels % W == 0; }

  direct_conv2d(const tbb_backend& be, const conv2d_shape& sizes, const tbb_scratch<float>& scratch)
      : sizes_{sizes},
        forward_taps_{shape{1, 1, 1, sizes.weight().size()}},
        backward_taps_{shape{1, 1, 1, sizes.weight().size()}},
        scratch_{scratch} {
    scratch_.reserve(be.threads() * part_size() + batch_slots{sizes.images}.count() * slot_size());
  }

  void prepare(tbb_backend& be, const float* weight) {
    be.parallel(sizes_.out_channels, [&](std::size_t o) {
      const std::size_t k2 = sizes_.kernel * sizes_.kernel;
      for (std::size_t i = 0; i < sizes_.in_channels; ++i)
        for (std::size_t tap = 0; tap < k2; ++tap) {
          const float w = weight[(o * sizes_.in_channels + i) * k2 + tap];
          raw(forward_taps_.view())[place(o, sizes_.out_channels, i, sizes_.in_channels, tap)] = w;
          raw(backward_taps_.view())[place(i, sizes_.in_channels, o, sizes_.out_channels, k2 - 1 - tap)] = w;
        }
    });
  }

  void forward(tbb_backend& be, std::size_t images, const float* x, const float*, const float* bias, float* y) {
    const std::size_t in = sizes_.input(1).size(), out = sizes_.output(1).size();
    parallel_parts(be, images, [&](std::size_t part, std::size_t n) {
      const padded_image from = padded_input(part);
      from.fill(x + n * in);
      correlate(from, forward_places(), forward_taps_, bias, sizes_.out_channels, y + n * out);
    });
  }

  // dx, and dweight together with dbias, may be null.
  void backward(tbb_backend& be, std::size_t images, const float* x, const float*, const float* dy, float* dx,
                float* dweight, float* dbias) {
    const std::size_t in = sizes_.input(1).size(), out = sizes_.output(1).size();
    const batch_slots slots{images};
    float* sums = scratch_.data() + be.threads() * part_size();  // per slot: taps as in forward_taps_, then (O)
    parallel_parts(be, slots.count(), [&](std::size_t part, std::size_t slot) {
      float* sum = sums + slot * slot_size();
      if (dweight != nullptr) std::fill_n(sum, slot_size(), 0.0f);
      for (std::size_t n = slots.first(slot); n < slots.last(slot); ++n) {
        if (dweight != nullptr) {
          const padded_image from = padded_input(part);
          from.fill(x + n * in);
          if (blocked(sizes_.out_channels))
            correlate_gradient_to_blocks<W>(from, forward_places(), dy + n * out, sizes_.out_channels / W, sum);
          else
            correlate_gradient_to_plain<W>(from, forward_places(), dy + n * out, sizes_.out_channels, sum);
          add_bias_gradient(dy + n * out, sum + sizes_.weight().size());
        }
        if (dx != nullptr) {
          const padded_image from = padded_output(part);
          from.spread(dy + n * out, sizes_.stride);
          correlate(from, backward_places(), backward_taps_, nullptr, sizes_.in_channels, dx + n * in);
        }
      }
    });
    if (dweight == nullptr) return;
    be.parallel(sizes_.out_channels, [&](std::size_t o) {
      const std::size_t k2 = sizes_.kernel * sizes_.kernel;
      const auto total = [&](std::size_t offset) {
        float value = 0;
        for (std::size_t slot = 0; slot < slots.count(); ++slot) value += sums[slot * slot_size() + offset];
        return value;
      };
      for (std::size_t i = 0; i < sizes_.in_channels; ++i)
        for (std::size_t tap = 0; tap < k2; ++tap)
          dweight[(o * sizes_.in_channels + i) * k2 + tap] =
              total(place(o, sizes_.out_channels, i, sizes_.in_channels, tap));
      dbias[o] = total(sizes_.weight().size() + o);
    });
  }

 private:
  correlation_places forward_places() const {
    return {sizes_.kernel, sizes_.stride, sizes_.out_height(), sizes_.out_width()};
  }
  // From dy, spread out to the size of x.
  correlation_places backward_places() const { return {sizes_.kernel, 1, sizes_.height, sizes_.width}; }

  static bool blocked(std::size_t channels) { return channels % W == 0; }

  // Where the tap from source channel `from` to destination channel `to` lies: the lanes are the destination's channels
  // where those are in blocks, else the source's.
  std::size_t place(std::size_t to, std::size_t to_channels, std::size_t from, std::size_t from_channels,
                    std::size_t tap) const {
    const std::size_t k2 = sizes_.kernel * sizes_.kernel;
    if (blocked(to_channels)) return ((to / W * from_channels + from) * k2 + tap) * W + to % W;
    return ((to * (from_channels / W) + from / W) * k2 + tap) * W + from % W;
  }

  void correlate(const padded_image& from, const correlation_places& places, const host_array<float>& taps,
                 const float* bias, std::size_t to_channels, float* to) const {
    if (blocked(to_channels))
      correlate_to_blocks<W>(from, places, raw(taps.view()), bias, to_channels / W, to);
    else
      correlate_to_plain<W>(from, places, raw(taps.view()), bias, to_channels, to);
  }

  // An image's sum is made before it is added to those of others: row by row, or in double where lanes cannot share it.
  void add_bias_gradient(const float* dy, float* sums) const {
    const std::size_t height = sizes_.out_height(), width = sizes_.out_width();
    if (blocked(sizes_.out_channels)) {
      for (std::size_t block = 0; block < sizes_.out_channels / W; ++block) {
        simd<W> of_image{};
        for (std::size_t row = 0; row < height; ++row) {
          simd<W> of_row{};
          for (std::size_t column = 0; column < width; ++column, dy += W) of_row += load<W>(dy);
          of_image += of_row;
        }
        store(sums + block * W, load<W>(sums + block * W) + of_image);
      }
    } else {
      for (std::size_t o = 0; o < sizes_.out_channels; ++o) {
        double of_image = 0;
        for (std::size_t p = 0; p < height * width; ++p, ++dy) of_image += static_cast<double>(*dy);
        sums[o] += static_cast<float>(of_image);
      }
    }
  }

  padded_image padded(std::size_t channels, float* data) const {
    return {data, channels, sizes_.height, sizes_.width, sizes_.radius(), blocked(channels) ? W : 1};
  }
  padded_image padded_input(std::size_t part) const {
    return padded(sizes_.in_channels, scratch_.data() + part * part_size());
  }
  padded_image padded_output(std::size_t part) const {
    return padded(sizes_.out_channels, scratch_.data() + part * part_size());
  }
  // Input and output are padded one after the other, in the same place.
  std::size_t part_size() const {
    return (std::max)(padded(sizes_.in_channels, nullptr).size(), padded(sizes_.out_channels, nullptr).size());
  }
  std::size_t slot_size() const { return sizes_.weight().size() + sizes_.out_channels; }

  conv2d_shape sizes_;
  host_array<float> forward_taps_, backward_taps_;
  tbb_scratch<float> scratch_;
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
