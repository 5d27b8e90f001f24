#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include <softscore/core/config.hpp>
#include <softscore/core/host_array.hpp>
#include <softscore/core/view.hpp>
#include <softscore/data/loader.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The batches of training, each gathered and rescaled in one buffer of host memory, if wished before it is asked for:
/// `prepare` between handing work to a backend and waiting for it costs nothing where the two run at once. What a batch
/// holds depends on its step alone. The images must outlive it. Allocates nothing after construction.
class staged_batches {
 public:
  /// Throws what `shuffling_loader` throws.
  template <class = when_called>
  staged_batches(view<const float, host_space> images, std::size_t batch, std::uint64_t seed, pixel_scale scale)
      : images_{images},
        loader_{images.extent().images, batch, seed},
        scale_{scale},
        memory_{images.extent().with_images(batch)} {}

  std::size_t steps_per_epoch() const { return loader_.steps_per_epoch(); }

  /// Gathers the batch of a step, counted from 0 over all epochs, unless the buffer holds it.
  template <class = when_called>
  void prepare(std::size_t step) {
    if (held_ == step) return;
    held_.reset();  // what throws halfway leaves no batch
    gather(images_, loader_.indices(step), scale_, memory_.view());
    held_ = step;
  }

  /// The batch of a step, until the next call of any member.
  view<const float, host_space> of(std::size_t step) {
    prepare(step);
    return memory_.view();
  }

  /// The first `count` images of the buffer for use as memory; the batch in it is forgotten.
  view<float, host_space> borrow(std::size_t count) {
    held_.reset();
    return memory_.view().images(0, count);
  }

 private:
  view<const float, host_space> images_;
  shuffling_loader loader_;
  pixel_scale scale_;
  host_array<float> memory_;
  std::optional<std::size_t> held_;
};

}  // namespace softscore::inline SOFTSCORE_ABI
