#pragma once

#include <concepts>
#include <cstddef>
#include <optional>
#include <type_traits>

#include <softscore/backend/concept.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/shape.hpp>
#include <softscore/core/view.hpp>

namespace softscore {  // shared

/// Two activations seen as one: the channels of `first`, then those of `second`, which is empty if there is only one
/// part. A view converts to it.
template <class T, class Space>
struct joined_view {
  view<T, Space> first{}, second{};

  SOFTSCORE_SHARED joined_view() = default;
  SOFTSCORE_SHARED joined_view(view<T, Space> a, view<T, Space> b) : first{a}, second{b} {}
  template <class U>
    requires std::convertible_to<view<U, Space>, view<T, Space>>
  SOFTSCORE_SHARED joined_view(view<U, Space> one) : first{one} {}
  /// Mutable elements convert to const ones.
  template <class U>
    requires std::same_as<const U, T>
  SOFTSCORE_SHARED joined_view(joined_view<U, Space> other) : first{other.first}, second{other.second} {}

  SOFTSCORE_SHARED bool empty() const { return first.empty() && second.empty(); }
  SOFTSCORE_SHARED bool in_parts() const { return !second.empty(); }
  /// The shape of both parts together.
  SOFTSCORE_SHARED shape extent() const {
    shape all = first.extent();
    if (in_parts()) all.channels += second.extent().channels;
    return all;
  }
};

/// The type of an argument that a function reads, in one part or in two.
template <class T, class Space>
using const_joined_view = std::type_identity_t<joined_view<const T, Space>>;

}  // namespace softscore

namespace softscore::inline SOFTSCORE_ABI {

/// Arguments on backend `Be` that may be in two parts; T is deduced from neither.
template <class Be, class T>
using joined_in_of = const_joined_view<T, typename Be::space>;
template <class Be, class T>
using joined_out_of = std::type_identity_t<joined_view<T, typename Be::space>>;

namespace detail {

// An activation in one array: itself, or a copy for the length of one call. If `wanted` is false there is no copy.
template <class Be, class T>
class joined_copy {
 public:
  joined_copy(Be& be, joined_in_of<Be, T> x, bool wanted = true) : x_{x} {
    if (!wanted || !x.in_parts()) return;
    if constexpr (requires { be.template make_unset<T>(shape{}); })
      copy_.emplace(be.template make_unset<T>(x.extent()));
    else
      copy_.emplace(be.template make<T>(x.extent()));
    concatenate(be, x.first, x.second, copy_->view());
    x_ = copy_->view();
  }

  joined_in_of<Be, T> view() const { return x_; }

 private:
  std::optional<array_of<Be, T>> copy_{};
  joined_in_of<Be, T> x_;
};

}  // namespace detail

}  // namespace softscore::inline SOFTSCORE_ABI
