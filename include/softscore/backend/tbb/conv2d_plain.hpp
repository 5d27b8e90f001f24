#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include <softscore/backend/conv2d_shape.hpp>
#include <softscore/backend/joined_planes.hpp>
#include <softscore/backend/tbb/conv2d_taps.hpp>
#include <softscore/backend/tbb/layout.hpp>
#include <softscore/backend/tbb/scratch.hpp>
#include <softscore/backend/tbb/slots.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// A convolution tap by tap, with a task for every channel of every image: for any sizes and either order of channels.
// It is for double, and for channels that do not form whole blocks of W; W is 1 if there are no blocks.
template <class T, std::size_t W>
class plain_conv2d {
 public:
  static constexpr bool reads_parts = true;

  static bool serves(const conv2d_shape&) { return true; }

  plain_conv2d(const tbb_backend&, const conv2d_shape& sizes, const tbb_scratch<T>& scratch)
      : sizes_{sizes}, scratch_{scratch} {
    scratch_.reserve(batch_slots{sizes.images}.count() * slot_size());
    for (std::size_t a = 0; a < sizes.kernel.height; ++a)
      rows_.emplace_back(a, sizes.border().top, sizes.height, sizes.out_height(), sizes.stride);
    for (std::size_t b = 0; b < sizes.kernel.width; ++b)
      columns_.emplace_back(b, sizes.border().left, sizes.width, sizes.out_width(), sizes.stride);
  }

  void prepare(tbb_backend&, const T*) {}

  // The bias may be null.
  void forward(tbb_backend& be, std::size_t images, const joined_planes<const T>& x, const T* weight, const T* bias,
               T* y) {
    be.parallel(images * sizes_.out_channels, [&](std::size_t task) {
      const std::size_t n = task / sizes_.out_channels, o = task % sizes_.out_channels;
      const channel_plane<T> to = output(y, n, o);
      fill(to, sizes_.output(1).plane(), bias == nullptr ? T{} : bias[o]);
      for (std::size_t i = 0; i < sizes_.in_channels; ++i)
        each_tap(o, i, [&](std::size_t w, const tap_pairs& pairs) {
          add_from_input<T>(pairs, weight[w], input(x, n, i), to);
        });
    });
  }

  // dx, dbias, and dweight together with dbias may be null.
  void backward(tbb_backend& be, std::size_t images, const joined_planes<const T>& x, const T* weight, const T* dy,
                T* dx, T* dweight, T* dbias) {
    if (dx != nullptr)
      be.parallel(images * sizes_.in_channels, [&](std::size_t task) {
        const std::size_t n = task / sizes_.in_channels, i = task % sizes_.in_channels;
        const channel_plane<T> to = plane_of(dx, sizes_.input(1), n, i);
        fill(to, sizes_.input(1).plane(), T{});
        for (std::size_t o = 0; o < sizes_.out_channels; ++o)
          each_tap(o, i, [&](std::size_t w, const tap_pairs& pairs) {
            add_from_output<T>(pairs, weight[w], output(dy, n, o), to);
          });
      });
    if (dweight == nullptr) return;
    const batch_slots slots{images};
    const std::size_t weights = sizes_.weight().size(), of_channel = sizes_.fan_in();
    T* sums = scratch_.data();  // per slot: (O,I,kh,kw), then (O)
    be.parallel(slots.count() * sizes_.out_channels, [&](std::size_t task) {
      const std::size_t slot = task / sizes_.out_channels, o = task % sizes_.out_channels;
      T* sum = sums + slot * slot_size();
      std::fill_n(sum + o * of_channel, of_channel, T{});
      double of_bias = 0;
      for (std::size_t n = slots.first(slot); n < slots.last(slot); ++n) {
        const channel_plane<const T> from = output(dy, n, o);
        for (std::size_t i = 0; i < sizes_.in_channels; ++i)
          each_tap(o, i, [&](std::size_t w, const tap_pairs& pairs) {
            sum[w] += dot_of_pairs<T>(pairs, from, input(x, n, i));
          });
        for (std::size_t p = 0; p < sizes_.output(1).plane(); ++p)
          of_bias += static_cast<double>(from.data[p * from.step]);
      }
      sum[weights + o] = static_cast<T>(of_bias);
    });
    add_slots(be, sums, slot_size(), slots.count(), dweight, weights);
    if (dbias != nullptr) add_slots(be, sums + weights, slot_size(), slots.count(), dbias, sizes_.out_channels);
  }

 private:
  // Calls body(index of the weight, the pairs of its tap) for the kernel from input channel i to output channel o.
  template <class Body>
  void each_tap(std::size_t o, std::size_t i, const Body& body) const {
    std::size_t w = (o * sizes_.in_channels + i) * sizes_.kernel.taps();
    const std::size_t out_width = sizes_.out_width();
    for (const tap_range& row : rows_)
      for (const tap_range& column : columns_)
        body(w++, tap_pairs{row, column, sizes_.width, out_width, sizes_.stride});
  }

  static std::size_t block_of(std::size_t channels) { return channels % W == 0 ? W : 1; }
  template <class U>
  static channel_plane<U> plane_of(U* data, const shape& s, std::size_t n, std::size_t c) {
    const std::size_t block = block_of(s.channels);
    return {data + (n * s.channels + c / block * block) * s.plane() + c % block, block};
  }
  channel_plane<const T> input(const joined_planes<const T>& x, std::size_t n, std::size_t i) const {
    const std::size_t block = block_of(sizes_.in_channels);
    return {x.at(n, i / block * block) + i % block, block};
  }
  template <class U>
  channel_plane<U> output(U* data, std::size_t n, std::size_t o) const {
    return plane_of(data, sizes_.output(1), n, o);
  }
  static void fill(channel_plane<T> plane, std::size_t pixels, T value) {
    for (std::size_t p = 0; p < pixels; ++p) plane.data[p * plane.step] = value;
  }

  std::size_t slot_size() const { return sizes_.weight().size() + sizes_.out_channels; }

  conv2d_shape sizes_;
  std::vector<tap_range> rows_, columns_;
  tbb_scratch<T> scratch_;
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
