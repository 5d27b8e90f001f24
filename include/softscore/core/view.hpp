#pragma once

#include <concepts>
#include <cstddef>
#include <span>
#include <type_traits>

#include <softscore/core/config.hpp>
#include <softscore/core/shape.hpp>

namespace softscore {  // shared

/// Memory that the host may read and write.
struct host_space {
  static constexpr bool host = true;
};

/// A pointer and a shape; it owns nothing. Elements are accessible only where `Space` is the host's, so code written
/// against a view either runs on every backend or does not compile.
template <class T, class Space>
class view {
 public:
  using value_type = std::remove_const_t<T>;
  using space = Space;

  SOFTSCORE_SHARED view() = default;
  SOFTSCORE_SHARED SOFTSCORE_HD constexpr view(T* data, shape extent) : data_{data}, extent_{extent} {}

  /// A view of mutable elements converts to a view of const elements.
  template <class U>
    requires std::same_as<const U, T>
  SOFTSCORE_SHARED SOFTSCORE_HD constexpr view(view<U, Space> other) : data_{raw(other)}, extent_{other.extent()} {}

  SOFTSCORE_SHARED SOFTSCORE_HD constexpr const shape& extent() const { return extent_; }
  SOFTSCORE_SHARED SOFTSCORE_HD constexpr std::size_t size() const { return extent_.size(); }
  SOFTSCORE_SHARED SOFTSCORE_HD constexpr bool empty() const { return data_ == nullptr; }

  SOFTSCORE_SHARED SOFTSCORE_HD constexpr T& operator[](std::size_t i) const
    requires(Space::host)
  {
    return data_[i];
  }

  /// All elements of one image.
  SOFTSCORE_SHARED constexpr std::span<T> image(std::size_t i) const
    requires(Space::host)
  {
    return {data_ + i * extent_.per_image(), extent_.per_image()};
  }

  /// `count` consecutive images, from image `first` on.
  SOFTSCORE_SHARED SOFTSCORE_HD constexpr view images(std::size_t first, std::size_t count) const {
    return {data_ + first * extent_.per_image(), extent_.with_images(count)};
  }

  /// `part.size()` consecutive elements, from `offset` on, with shape `part`: a named slice of a flat array.
  SOFTSCORE_SHARED SOFTSCORE_HD constexpr view slice(std::size_t offset, shape part) const {
    return {data_ + offset, part};
  }

  /// The address. Only headers under backend/ call it (a check looks for other calls).
  SOFTSCORE_SHARED SOFTSCORE_HD friend constexpr T* raw(view v) { return v.data_; }

 private:
  T* data_{};
  shape extent_{};
};

/// A read-only view for parameters whose element type is not deduced: it accepts a `view<T>` too.
template <class T, class Space>
using const_view = std::type_identity_t<view<const T, Space>>;

}  // namespace softscore
