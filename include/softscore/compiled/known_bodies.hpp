#pragma once

#include <cstddef>
#include <cstdint>
#include <tuple>
#include <type_traits>

#include <softscore/backend/bilinear.hpp>
#include <softscore/backend/channels.hpp>
#include <softscore/backend/pooling.hpp>
#include <softscore/backend/resampling.hpp>
#include <softscore/compiled/table.hpp>
#include <softscore/core/config.hpp>
#include <softscore/nn/layer.hpp>
#include <softscore/optim/adam.hpp>
#include <softscore/optim/adamw.hpp>
#include <softscore/optim/ema.hpp>
#include <softscore/optim/gradient_sum.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

/// A body for which the library softscore::compiled has a compiled loop, and the element types of its arrays in order.
template <class Body, class... Elements>
struct known_body {
  // The bytes of the body pass from a file with one set of flags to a file with another.
  static_assert(std::is_trivially_copyable_v<Body>);
};

// The bodies that the kernels know; a program compiles the loop of any other body itself. Add a new one as a line here.
template <class T>
using known_element_bodies = std::tuple<known_body<adam_body, T, T, T, const T>,                     //
                                        known_body<averaged_body<adam_body>, T, T, T, T, const T>,   //
                                        known_body<adamw_body, T, T, T, const T>,                    //
                                        known_body<averaged_body<adamw_body>, T, T, T, T, const T>,  //
                                        known_body<ema_body, T, const T>,                            //
                                        known_body<start_sum_body, T, T, const T>,                   //
                                        known_body<add_to_sum_body, T, T, const T>,                  //
                                        known_body<mean_of_sum_body, T, const T>,                    //
                                        known_body<set_zero, T>>;
template <class T>
using known_plane_bodies =
    std::tuple<known_body<bilinear_body<T>, T, const T>, known_body<bilinear_backward_body<T>, T, const T>,
               known_body<upsample_nearest_body, T, const T>,            //
               known_body<sum_of_four_body<T>, T, const T>,              //
               known_body<quarter_body<T>, T, const T>,                  //
               known_body<fir_down_body<T>, T, const T>,                 //
               known_body<fir_up_body<T>, T, const T>,                   //
               known_body<pool_max_body, T, const T>,                    //
               known_body<pool_max_backward_body, T, const T, const T>,  //
               known_body<pool_mean_body<T>, T, const T>,                //
               known_body<pool_mean_backward_body<T>, T, const T>>;
template <class T>
using known_channel_bodies = std::tuple<known_body<scale_channel, T, const T, const T>,  //
                                        known_body<add_channel, T, const T, const T>,    //
                                        known_body<spread_channel, T, const T, const T>>;

/// The position of a body in a list, or the length of the list.
template <class List, class Body, class... Elements>
constexpr std::size_t place_in = 0;
template <class... Known, class Body, class... Elements>
constexpr std::size_t place_in<std::tuple<Known...>, Body, Elements...> = [] {
  std::size_t place = 0;
  static_cast<void>(((std::is_same_v<Known, known_body<Body, Elements...>> || (++place, false)) || ...));
  return place;
}();
/// What program and kernels must agree on: the list of operations, and the number and sizes of the bodies.
template <class... Known>
constexpr std::uint64_t hash_of_bodies(std::tuple<Known...>*, std::uint64_t hash) {
  const auto add = [&]<class Body, class... Elements>(known_body<Body, Elements...>*) {
    hash = (hash ^ (sizeof(Body) + 1024 * sizeof...(Elements))) * 1099511628211u;
  };
  (add(static_cast<Known*>(nullptr)), ...);
  return hash;
}
template <class T>
constexpr std::uint64_t hash_of_lists(std::uint64_t hash) {
  hash = hash_of_bodies(static_cast<known_element_bodies<T>*>(nullptr), hash);
  hash = hash_of_bodies(static_cast<known_plane_bodies<T>*>(nullptr), hash);
  return hash_of_bodies(static_cast<known_channel_bodies<T>*>(nullptr), hash);
}
inline constexpr std::uint64_t signature_of_kernels =
    hash_of_lists<float>(hash_of_lists<double>(compiled::hash_of_operations ^ sizeof(compiled::operations<float>)));

template <class List, class Body, class... Elements>
concept Knows = (place_in<List, Body, Elements...> < std::tuple_size_v<List>);

}  // namespace softscore::inline SOFTSCORE_ABI::detail
