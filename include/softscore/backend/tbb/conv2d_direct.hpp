#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include <softscore/backend/conv2d_shape.hpp>
#include <softscore/backend/tbb/conv2d_phases.hpp>
#include <softscore/backend/tbb/correlate.hpp>
#include <softscore/backend/tbb/scratch.hpp>
#include <softscore/backend/tbb/slots.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/host_array.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// A convolution as the direct sum, with W channels in the lanes. It is for any sizes if the channels of at least one
// side form whole blocks of W, as in the first and the last layer of an image network.
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
    for (std::size_t a = 0; a < sizes.kernel.height; ++a)
      for (std::size_t b = 0; b < sizes.kernel.width; ++b) {
        const conv2d_phases::tap row = rows().of(a), column = columns().of(b);
        backward_places_.push_back({taps_before(row, column) * sizes.in_channels * sizes.out_channels,
                                    row.of_phase * column.of_phase, row.place * column.of_phase + column.place});
      }
  }

  void prepare(tbb_backend& be, const float* weight) {
    const std::size_t in = sizes_.in_channels, out = sizes_.out_channels, all = sizes_.kernel.taps();
    be.parallel(out, [&](std::size_t o) {
      const float* from = weight + o * in * all;
      for (std::size_t i = 0; i < in; ++i) {
        float* to = raw(forward_taps_.view()) + place(o, out, i, in, all);
        for (const tap_place& tap : backward_places_) {
          raw(backward_taps_.view())[tap.first + place(i, in, o, out, tap.taps) + tap.place * W] = *from;
          *to = *from++;
          to += W;
        }
      }
    });
  }

  // The bias may be null.
  void forward(tbb_backend& be, std::size_t images, const float* x, const float*, const float* bias, float* y) {
    const std::size_t in = sizes_.input(1).size(), out = sizes_.output(1).size();
    parallel_parts(be, images, [&](std::size_t part, std::size_t n) {
      const padded_image from = padded_input(part);
      from.fill(whole_input(), x + n * in);
      const std::size_t lanes = lanes_of(sizes_.out_channels), width = sizes_.out_width();
      correlate(from, forward_places(), raw(forward_taps_.view()), bias, sizes_.out_channels,
                {y + n * out, sizes_.out_height() * width * lanes, width * lanes, lanes});
    });
  }

  // dx, dbias, and dweight together with dbias may be null.
  void backward(tbb_backend& be, std::size_t images, const float* x, const float*, const float* dy, float* dx,
                float* dweight, float* dbias) {
    const batch_slots slots{images};
    if (dweight == nullptr || slots.count() < be.threads()) {
      if (dx != nullptr)
        parallel_parts(be, images, [&](std::size_t part, std::size_t n) { input_gradient(part, n, dy, dx); });
      dx = nullptr;
    }
    if (dweight == nullptr) return;
    // If there are few slots, they are divided by channels, so that all threads have work; an image's gradients have
    // the same bits.
    const std::size_t most = sizes_.out_channels / lanes_of(sizes_.out_channels),
                      groups =
                          std::clamp<std::size_t>(be.threads() / (std::max<std::size_t>)(slots.count(), 1), 1, most);
    float* sums = scratch_.data() + be.threads() * part_size();  // per slot: taps as in forward_taps_, then (O)
    parallel_parts(be, slots.count() * groups, [&](std::size_t part, std::size_t task) {
      const std::size_t slot = task / groups, group = task % groups;
      const channel_run run{group * most / groups, (group + 1) * most / groups};
      clear(run, sums + slot * slot_size());
      for (std::size_t n = slots.first(slot); n < slots.last(slot); ++n) {
        add_weight_gradient(part, n, run, x, dy, sums + slot * slot_size());
        if (dx != nullptr) input_gradient(part, n, dy, dx);
      }
    });
    be.parallel(sizes_.out_channels, [&](std::size_t o) {
      const std::size_t taps = sizes_.kernel.taps();
      const auto total = [&](std::size_t offset) {
        float value = 0;
        for (std::size_t slot = 0; slot < slots.count(); ++slot) value += sums[slot * slot_size() + offset];
        return value;
      };
      for (std::size_t i = 0; i < sizes_.in_channels; ++i)
        for (std::size_t tap = 0; tap < taps; ++tap)
          dweight[(o * sizes_.in_channels + i) * taps + tap] =
              total(place(o, sizes_.out_channels, i, sizes_.in_channels, taps) + tap * W);
      if (dbias != nullptr) dbias[o] = total(sizes_.weight().size() + o);
    });
  }

 private:
  // Where a tap is in backward_taps_: the taps of its phase begin at `first`, there are `taps` of them for each pair of
  // channels, and this tap is number `place`.
  struct tap_place {
    std::size_t first, taps, place;
  };
  // Output channels, or blocks of them if they are in blocks.
  struct channel_run {
    std::size_t first, last;
  };

  // Computes an image's dx, one phase of rows and columns after another.
  void input_gradient(std::size_t part, std::size_t n, const float* dy, float* dx) const {
    const std::size_t lanes = lanes_of(sizes_.in_channels), width = sizes_.width * lanes;
    const conv2d_phases down = rows(), across = columns();
    const padded_image from = padded_output(part);
    from.fill({sizes_.out_height(), sizes_.out_width(), down.top(), across.top(), down.down(), across.down()},
              dy + n * sizes_.output(1).size());
    for (std::size_t a = 0; a < sizes_.stride; ++a)
      for (std::size_t b = 0; b < sizes_.stride; ++b) {
        const correlation_places places{down.taps_of(a), across.taps_of(b), 1, down.count(a), across.count(b),
                                        down.source(a),  across.source(b)};
        if (places.height == 0 || places.width == 0) continue;
        const std::size_t before = taps_before(down.of(a), across.of(b));
        correlate(from, places, raw(backward_taps_.view()) + sizes_.in_channels * sizes_.out_channels * before, nullptr,
                  sizes_.in_channels,
                  {dx + n * sizes_.input(1).size() + down.first(a) * width + across.first(b) * lanes,
                   sizes_.height * width, sizes_.stride * width, sizes_.stride * lanes});
      }
  }

  void clear(const channel_run& run, float* sums) const {
    const std::size_t lanes = lanes_of(sizes_.out_channels), count = (run.last - run.first) * lanes;
    std::fill_n(sums + run.first * lanes * sizes_.fan_in(), count * sizes_.fan_in(), 0.0f);
    std::fill_n(sums + sizes_.weight().size() + run.first * lanes, count, 0.0f);
  }

  void add_weight_gradient(std::size_t part, std::size_t n, const channel_run& run, const float* x, const float* dy,
                           float* sums) const {
    const padded_image from = padded_input(part);
    from.fill(whole_input(), x + n * sizes_.input(1).size());
    const std::size_t lanes = lanes_of(sizes_.out_channels), first = run.first * lanes;
    dy += n * sizes_.output(1).size() + first * sizes_.output(1).plane();
    if (lanes == W)
      correlate_gradient_to_blocks<W>(from, forward_places(), dy, run.last - run.first, sums + first * sizes_.fan_in());
    else
      correlate_gradient_to_plain<W>(from, forward_places(), dy, run.last - run.first, sums + first * sizes_.fan_in());
    add_bias_gradient(dy, run.last - run.first, sums + sizes_.weight().size() + first);
  }

  correlation_places forward_places() const {
    return {sizes_.kernel.height, sizes_.kernel.width, sizes_.stride, sizes_.out_height(), sizes_.out_width()};
  }
  conv2d_phases rows() const { return {sizes_.height, sizes_.kernel.height, sizes_.stride, sizes_.border().top}; }
  conv2d_phases columns() const { return {sizes_.width, sizes_.kernel.width, sizes_.stride, sizes_.border().left}; }

  static bool blocked(std::size_t channels) { return channels % W == 0; }
  static std::size_t lanes_of(std::size_t channels) { return blocked(channels) ? W : 1; }

  // The number of taps in the phases before that of a tap.
  std::size_t taps_before(const conv2d_phases::tap& row, const conv2d_phases::tap& column) const {
    return row.before * sizes_.kernel.width + row.of_phase * column.before;
  }
  // The position of the first of that many taps from source channel `from` to destination channel `to`; the others
  // follow at intervals of W. The lanes are the destination's channels if those are in blocks, otherwise the source's.
  static std::size_t place(std::size_t to, std::size_t to_channels, std::size_t from, std::size_t from_channels,
                           std::size_t taps) {
    if (blocked(to_channels)) return (to / W * from_channels + from) * taps * W + to % W;
    return (to * (from_channels / W) + from / W) * taps * W + from % W;
  }

  static void correlate(const padded_image& from, const correlation_places& places, const float* taps,
                        const float* bias, std::size_t to_channels, const correlation_target& to) {
    if (blocked(to_channels))
      correlate_to_blocks<W>(from, places, taps, bias, to_channels / W, to);
    else
      correlate_to_plain<W>(from, places, taps, bias, to_channels, to);
  }

  // An image's sum is completed before it is added to those of others: row by row, or in double if lanes cannot share
  // it.
  void add_bias_gradient(const float* dy, std::size_t count, float* sums) const {
    const std::size_t height = sizes_.out_height(), width = sizes_.out_width();
    if (blocked(sizes_.out_channels)) {
      for (std::size_t block = 0; block < count; ++block) {
        simd<W> of_image{};
        for (std::size_t row = 0; row < height; ++row) {
          simd<W> of_row{};
          for (std::size_t column = 0; column < width; ++column, dy += W) of_row += load<W>(dy);
          of_image += of_row;
        }
        store(sums + block * W, load<W>(sums + block * W) + of_image);
      }
    } else {
      for (std::size_t o = 0; o < count; ++o) {
        double of_image = 0;
        for (std::size_t p = 0; p < height * width; ++p, ++dy) of_image += static_cast<double>(*dy);
        sums[o] += static_cast<float>(of_image);
      }
    }
  }

  padded_image::part whole_input() const {
    return {sizes_.height, sizes_.width, 0, 0, sizes_.border().top, sizes_.border().left};
  }
  padded_image input_at(float* data) const {
    return {data, sizes_.in_channels, sizes_.padded_height(), sizes_.padded_width(), lanes_of(sizes_.in_channels)};
  }
  padded_image output_at(float* data) const {
    return {data, sizes_.out_channels, rows().padded(), columns().padded(), lanes_of(sizes_.out_channels)};
  }
  padded_image padded_input(std::size_t part) const { return input_at(scratch_.data() + part * part_size()); }
  padded_image padded_output(std::size_t part) const { return output_at(scratch_.data() + part * part_size()); }
  // Input and output are padded in turn, in the same memory.
  std::size_t part_size() const { return (std::max)(input_at(nullptr).size(), output_at(nullptr).size()); }
  std::size_t slot_size() const { return sizes_.weight().size() + sizes_.out_channels; }

  conv2d_shape sizes_;
  std::vector<tap_place> backward_places_;  // of the taps in the order of the weights
  host_array<float> forward_taps_, backward_taps_;
  tbb_scratch<float> scratch_;
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
