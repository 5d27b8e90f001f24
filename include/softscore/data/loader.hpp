#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include <softscore/core/checked_size.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/noise.hpp>
#include <softscore/core/pixel_scale.hpp>
#include <softscore/core/view.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Which images each training step receives. Every epoch is a new permutation of all images, a function of (seed,
/// epoch) alone, and its last partial batch is dropped (Knottenbelt n.d.). So a step number is enough to resume.
class shuffling_loader {
 public:
  /// Throws `error` unless 1 <= batch <= images < 2^32.
  template <class = when_called>
  shuffling_loader(std::size_t images, std::size_t batch, std::uint64_t seed) : batch_{batch}, seed_{seed} {
    require(images > 0 && images <= (std::numeric_limits<std::uint32_t>::max)(), "the number of training images",
            images, "positive and below 2^32");
    require(batch > 0 && batch <= images, "the batch size", batch, "positive and at most the number of images");
    order_ = vector_of<std::uint32_t>("numbers of the training images", {images});
    shuffle(0);
  }

  std::size_t batch_size() const { return batch_; }
  std::size_t steps_per_epoch() const { return order_.size() / batch_; }
  /// The epoch of a step; both count from 0.
  std::size_t epoch_of(std::size_t step) const { return step / steps_per_epoch(); }

  /// The numbers of the images of a step (counted from 0 over all epochs). It refers to memory of the loader, which the
  /// next call may reuse. It allocates nothing.
  template <class = when_called>
  std::span<const std::uint32_t> indices(std::size_t step) {
    if (epoch_of(step) != epoch_) shuffle(epoch_of(step));
    return {order_.data() + step % steps_per_epoch() * batch_, batch_};
  }

 private:
  // Fisher and Yates' shuffle. One epoch is one "image" of the noise.
  template <class = when_called>
  void shuffle(std::size_t epoch) {
    epoch_ = epoch;
    std::iota(order_.begin(), order_.end(), 0u);
    const noise_key key{seed_, noise_stream::shuffle, 0, 0};
    for (std::size_t i = order_.size(); i-- > 1;) {
      std::swap(order_[i], order_[uniform_below(i + 1, key, epoch, static_cast<std::uint32_t>(i))]);
    }
  }

  std::vector<std::uint32_t> order_;
  std::size_t batch_;
  std::uint64_t seed_;
  std::size_t epoch_{};
};

/// Copies the images with the given numbers into the caller's buffer, rescaled. It allocates nothing. Throws `error` if
/// the buffer does not have room for exactly these images, or if there is no image with one of the numbers.
template <class = when_called>
void gather(view<const float, host_space> images, std::span<const std::uint32_t> numbers, pixel_scale scale,
            view<float, host_space> out) {
  require(out.extent() == images.extent().with_images(numbers.size()), "the shape of the batch", out.extent(),
          "one place for each image asked for");
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    require(numbers[i] < images.extent().images, "the number of an image", numbers[i], "below the number of images");
    const auto from = images.image(numbers[i]);
    const auto to = out.image(i);
    for (std::size_t j = 0; j < from.size(); ++j) to[j] = scale.gain * from[j] + scale.offset;
  }
}

/// Mirrors each image left-right with probability 1/2, with one draw for each position in a step's batch. Returns how
/// many were mirrored. It allocates nothing.
template <class = when_called>
std::size_t flip_at_random(view<float, host_space> batch, std::uint64_t seed, std::size_t step) {
  const noise_key key{seed, noise_stream::flips, static_cast<std::uint32_t>(step), 0};
  const std::size_t width = batch.extent().width;
  std::size_t flipped = 0;
  for (std::size_t i = 0; i < batch.extent().images; ++i) {
    if (uniform(key, i, 0) >= 0.5) continue;
    const auto image = batch.image(i);
    for (std::size_t row = 0; row < image.size(); row += width)
      std::reverse(image.begin() + static_cast<std::ptrdiff_t>(row),
                   image.begin() + static_cast<std::ptrdiff_t>(row + width));
    ++flipped;
  }
  return flipped;
}

}  // namespace softscore::inline SOFTSCORE_ABI
