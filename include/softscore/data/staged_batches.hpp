#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <softscore/core/conditioning.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/host_array.hpp>
#include <softscore/core/view.hpp>
#include <softscore/data/loader.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The batches of training, each gathered and rescaled in one buffer of host memory, if wished before it is asked for:
/// `prepare` between handing work to a backend and waiting for it costs nothing where the two run at once. What a batch
/// holds depends on its step alone. The images and labels must outlive it. Allocates nothing after construction.
class staged_batches {
 public:
  /// With `flips`, images are mirrored at random (`flip_at_random`). Throws what `shuffling_loader` throws, and unless
  /// there is a label for each image or none.
  template <class = when_called>
  staged_batches(view<const float, host_space> images, std::size_t batch, std::uint64_t seed, pixel_scale scale,
                 std::span<const class_label> labels = {}, bool flips = false)
      : images_{images},
        labels_{labels},
        loader_{images.extent().images, batch, seed},
        seed_{seed},
        scale_{scale},
        flips_{flips},
        memory_{images.extent().with_images(batch)},
        staged_labels_(labels.empty() ? 0 : batch) {
    require(labels.empty() || labels.size() == images.extent().images, "number of labels of the training images",
            labels.size(), "0, or as many as the images: " + std::to_string(images.extent().images));
  }

  std::size_t steps_per_epoch() const { return loader_.steps_per_epoch(); }

  /// Gathers the batch of a step, counted from 0 over all epochs, unless the buffer holds it.
  template <class = when_called>
  void prepare(std::size_t step) {
    if (held_ == step) return;
    held_.reset();  // what throws halfway leaves no batch
    const auto numbers = loader_.indices(step);
    gather(images_, numbers, scale_, memory_.view());
    if (flips_) flip_at_random(memory_.view(), seed_, step);
    for (std::size_t i = 0; i < staged_labels_.size(); ++i) staged_labels_[i] = labels_[numbers[i]];
    held_ = step;
  }

  /// The batch of a step, until the next call of any member.
  view<const float, host_space> of(std::size_t step) {
    prepare(step);
    return memory_.view();
  }

  /// The labels of the batch that the buffer holds; none where the images have none.
  std::span<const class_label> labels() const { return {staged_labels_.data(), staged_labels_.size()}; }

  /// The first `count` images of the buffer for use as memory; the batch in it is forgotten.
  view<float, host_space> borrow(std::size_t count) {
    held_.reset();
    return memory_.view().images(0, count);
  }

 private:
  view<const float, host_space> images_;
  std::span<const class_label> labels_;
  shuffling_loader loader_;
  std::uint64_t seed_;
  pixel_scale scale_;
  bool flips_;
  host_array<float> memory_;
  std::vector<class_label> staged_labels_;
  std::optional<std::size_t> held_;
};

}  // namespace softscore::inline SOFTSCORE_ABI
