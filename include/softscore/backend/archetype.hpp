#pragma once

#include <type_traits>

#include <softscore/backend/concept.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// A backend that consists of declarations only. Its space is not the host's, so a model that passes a `static_assert`
/// against it uses only the verbs and touches no element.
struct archetype_backend {
  struct space {
    static constexpr bool host = false;
  };
  template <class T>
  struct owner {
    owner() = delete;
    owner(owner&&) noexcept;
    owner& operator=(owner&&) noexcept;
    softscore::view<T, space> view();
  };
  template <Scalar T>
  owner<T> make(shape);
  template <Scalar T>
  void upload(const T*, view<T, space>);
  template <class T>
  void download(view<T, space>, std::remove_const_t<T>*);
  template <Scalar T>
  void normal(noise_key, image_range, view<T, space>);
  template <Scalar T, class... Terms>
  void combine(view<T, space>, const Terms&...);
  template <class Body, class... Views>
  void for_each(Body, Views...);
  template <class Body, Scalar T, class... Tables>
  void each_pixel(Body, per_image<level>, const_view<T, space>, view<T, space>, Tables...);
  template <class Table>
  view<const double, space> constant(const Table&);
  template <class T>
  void dot(view<T, space>, view<T, space>, double*);
  template <class From, class To>
  void convert(view<From, space>, view<To, space>);
};
static_assert(Backend<archetype_backend, float> && Backend<archetype_backend, double>);

}  // namespace softscore::inline SOFTSCORE_ABI
