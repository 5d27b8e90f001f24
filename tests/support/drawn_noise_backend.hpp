#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include <softscore/core/noise.hpp>
#include <softscore/core/view.hpp>

/// A backend with noise that a file holds instead of drawn noise: step k of a run has the k-th batch of `images`
/// images.
template <class Be>
class drawn_noise : public Be {
 public:
  drawn_noise(std::vector<float> noise, std::size_t images) : noise_{std::move(noise)}, images_{images} {}

  template <softscore::Scalar T>
  void normal(softscore::noise_key key, softscore::image_range images, softscore::view<T, typename Be::space> out) {
    const std::size_t each = out.extent().per_image();
    const std::size_t first = (key.step * images_ + static_cast<std::size_t>(images.first)) * each;
    std::vector<T> numbers(out.size());
    for (std::size_t i = 0; i < out.size(); ++i) numbers[i] = static_cast<T>(noise_.at(first + i));
    this->upload(numbers.data(), out);
  }
  void combine_with_normal() = delete;  // would draw

 private:
  std::vector<float> noise_;
  std::size_t images_;
};
