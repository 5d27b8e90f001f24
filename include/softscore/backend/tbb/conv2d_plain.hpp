#pragma once

#include <algorithm>
#include <cstddef>

#include <softscore/backend/conv2d_shape.hpp>
#include <softscore/backend/serial/conv2d.hpp>
#include <softscore/backend/tbb/scratch.hpp>
#include <softscore/backend/tbb/slots.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// The serial algorithm with images spread over threads: for double, and for channels that make no whole blocks.
template <class T>
class plain_conv2d {
 public:
  plain_conv2d(const tbb_backend&, const conv2d_shape& sizes, const tbb_scratch<T>& scratch)
      : sizes_{sizes}, scratch_{scratch} {
    scratch_.reserve(batch_slots{sizes.images}.count() * slot_size());
  }

  void prepare(tbb_backend&, const T*) {}

  void forward(tbb_backend& be, std::size_t images, const T* x, const T* weight, const T* bias, T* y) {
    be.parallel(images, [&](std::size_t n) {
      conv2d_image_forward(sizes_, x + n * sizes_.input(1).size(), weight, bias, y + n * sizes_.output(1).size());
    });
  }

  // dx, and dweight together with dbias, may be null.
  void backward(tbb_backend& be, std::size_t images, const T* x, const T* weight, const T* dy, T* dx, T* dweight,
                T* dbias) {
    const std::size_t in = sizes_.input(1).size(), out = sizes_.output(1).size(), weights = sizes_.weight().size();
    if (dx != nullptr)
      be.parallel(images,
                  [&](std::size_t n) { conv2d_image_input_gradient(sizes_, weight, dy + n * out, dx + n * in); });
    if (dweight == nullptr) return;
    const batch_slots slots{images};
    T* sums = scratch_.data();  // per slot: (O,I,k,k), then (O)
    be.parallel(slots.count(), [&](std::size_t slot) {
      T* sum = sums + slot * slot_size();
      std::fill_n(sum, slot_size(), T{});
      for (std::size_t n = slots.first(slot); n < slots.last(slot); ++n)
        conv2d_image_weight_gradient(sizes_, x + n * in, dy + n * out, sum, sum + weights);
    });
    add_slots(be, sums, slot_size(), slots.count(), dweight, weights);
    add_slots(be, sums + weights, slot_size(), slots.count(), dbias, sizes_.out_channels);
  }

 private:
  std::size_t slot_size() const { return sizes_.weight().size() + sizes_.out_channels; }

  conv2d_shape sizes_;
  tbb_scratch<T> scratch_;
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
