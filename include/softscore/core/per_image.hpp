#pragma once

#include <cstddef>
#include <span>

#include <softscore/core/config.hpp>

namespace softscore {  // shared

template <class T>
class per_image;

/// Returns one value per image: those of a vector, an array or a span, which must outlive the result.
template <class Values>
SOFTSCORE_SHARED constexpr per_image<typename Values::value_type> each_of(const Values& values);

/// One value for a whole batch (sampling), or one value per image (training). In the second case it refers to the
/// values and does not own them.
template <class T>
class per_image {
 public:
  SOFTSCORE_SHARED constexpr per_image(T one) : one_{one} {}
  SOFTSCORE_SHARED constexpr explicit per_image(std::span<const T> each) : each_{each.data()} {}

  SOFTSCORE_SHARED constexpr T operator[](std::size_t image) const { return each_ != nullptr ? each_[image] : one_; }
  /// True if all images share one value.
  SOFTSCORE_SHARED constexpr bool shared() const { return each_ == nullptr; }

 private:
  template <class Values>
  friend constexpr per_image<typename Values::value_type> each_of(const Values& values);

  T one_{};
  const T* each_{};
};

template <class Values>
SOFTSCORE_SHARED constexpr per_image<typename Values::value_type> each_of(const Values& values) {
  per_image<typename Values::value_type> images{typename Values::value_type{}};
  images.each_ = values.data();
  return images;
}

}  // namespace softscore
