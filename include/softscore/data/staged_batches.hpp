#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <softscore/core/conditioning.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/host_array.hpp>
#include <softscore/core/view.hpp>
#include <softscore/data/loader.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The batches of training, each gathered and rescaled in one buffer of host memory, optionally before it is needed:
/// calling `prepare` between handing work to a backend and waiting for it costs nothing if the two run at once. The
/// content of a batch depends only on its step. The images, and what is known about them, must outlive it. It allocates
/// nothing after construction.
class staged_batches {
 public:
  /// With `flips`, images are mirrored at random (`flip_at_random`), each together with the image beside it; `scale`
  /// applies only to the images. Throws as `shuffling_loader` does, and unless what is known is known about each image.
  template <class = when_called>
  staged_batches(view<const float, host_space> images, std::size_t batch, std::uint64_t seed, pixel_scale scale,
                 const conditioning& given = {}, bool flips = false)
      : images_{images},
        of_all_{given},
        loader_{images.extent().images, batch, seed},
        seed_{seed},
        scale_{scale},
        flips_{flips},
        memory_{images.extent().with_images(batch)},
        beside_{places(given.image, batch)},
        features_{places(given.features, batch)},
        labels_(given.labels.empty() ? 0 : batch) {
    detail::require_for("training images", [&] { require_one_per_image(given, images.extent()); });
  }

  std::size_t steps_per_epoch() const { return loader_.steps_per_epoch(); }

  /// Gathers the batch of a step, counted from 0 over all epochs, unless the buffer holds it.
  template <class = when_called>
  void prepare(std::size_t step) {
    if (held_ == step) return;
    held_.reset();  // an exception halfway leaves no batch
    const auto numbers = loader_.indices(step);
    gather(images_, numbers, scale_, memory_.view());
    if (!beside_.view().empty()) gather(of_all_.image, numbers, {}, beside_.view());
    if (!features_.view().empty()) gather(of_all_.features, numbers, {}, features_.view());
    if (flips_) {
      flip_at_random(memory_.view(), seed_, step);
      flip_at_random(beside_.view(), seed_, step);
    }
    for (std::size_t i = 0; i < labels_.size(); ++i) labels_[i] = of_all_.labels[numbers[i]];
    held_ = step;
  }

  /// The batch of a step, until the next call of any member.
  view<const float, host_space> of(std::size_t step) {
    prepare(step);
    return memory_.view();
  }

  /// What is known about the batch in the buffer.
  conditioning given() const { return {{labels_.data(), labels_.size()}, beside_.view(), features_.view()}; }

  /// The first `count` images of the buffer for use as memory; the batch in the buffer is lost.
  view<float, host_space> borrow(std::size_t count) {
    held_.reset();
    return memory_.view().images(0, count);
  }

 private:
  // The extent of a batch of conditions; 0 if they are not given.
  static shape places(view<const float, host_space> known, std::size_t batch) {
    return known.empty() ? shape{0, 0, 0, 0} : known.extent().with_images(batch);
  }

  view<const float, host_space> images_;
  conditioning of_all_;
  shuffling_loader loader_;
  std::uint64_t seed_;
  pixel_scale scale_;
  bool flips_;
  host_array<float> memory_, beside_, features_;
  std::vector<class_label> labels_;
  std::optional<std::size_t> held_;
};

}  // namespace softscore::inline SOFTSCORE_ABI
