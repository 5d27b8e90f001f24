#pragma once

#include <cstddef>

#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// How the gradient in x of a convolution is computed along one side of the image, without the zeros that a stride puts
// between the pixels of dy: pixel p of x meets the taps that equal p + before modulo the stride. The pixels of one
// phase are a stride apart, and their gradients are a correlation of dy with every stride-th tap, in reverse order.
struct conv2d_phases {
  std::size_t extent, taps, stride, before;  // of x, of the kernel, and the zeros before the first pixel

  std::size_t taps_of(std::size_t phase) const { return phase < taps ? (taps - phase + stride - 1) / stride : 0; }
  std::size_t taps_before(std::size_t phase) const {
    std::size_t sum = 0;
    for (std::size_t p = 0; p < phase && p < taps; ++p) sum += taps_of(p);
    return sum;
  }
  // The position of a tap: the taps of the phases before its own, those of its own, and its position among them.
  struct tap {
    std::size_t before, of_phase, place;
  };
  tap of(std::size_t k) const {
    const std::size_t phase = k % stride, count = taps_of(phase);
    return {taps_before(phase), count, count - 1 - k / stride};
  }
  // The first pixel of the phase, which need not exist, and the number of pixels.
  std::size_t first(std::size_t phase) const { return output_of_first(phase) * stride + phase - before; }
  std::size_t count(std::size_t phase) const {
    return first(phase) < extent ? (extent - 1 - first(phase)) / stride + 1 : 0;
  }

  // The padded dy: its length, the first pixel of dy that it holds and where that is, and the position of the first tap
  // of a phase for the first pixel of the phase.
  std::size_t padded() const { return (extent - 1 + before) / stride - skipped() + most(); }
  std::size_t top() const { return skipped() < most() ? 0 : skipped() - (most() - 1); }
  std::size_t down() const { return skipped() < most() ? most() - 1 - skipped() : 0; }
  std::size_t source(std::size_t phase) const { return output_of_first(phase) - skipped() + most() - taps_of(phase); }

 private:
  std::size_t most() const { return taps_of(0); }
  std::size_t skipped() const { return before / stride; }  // outputs before the image
  // The output for which tap `phase` is at the first pixel of the phase.
  std::size_t output_of_first(std::size_t phase) const {
    return before > phase ? (before - phase + stride - 1) / stride : 0;
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
