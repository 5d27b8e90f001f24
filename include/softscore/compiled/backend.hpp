#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <memory>
#include <string_view>
#include <thread>
#include <type_traits>

#include <softscore/backend/archetype.hpp>
#include <softscore/backend/host_verbs.hpp>
#include <softscore/compiled/known_bodies.hpp>
#include <softscore/compiled/table.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>

namespace softscore::inline SOFTSCORE_ABI {

class compiled_backend;

namespace detail {

// Declared before the backend is complete.
template <Scalar T>
const compiled::operations<T>& operations_of(const compiled_backend& be);
template <Scalar T>
void* kernels_behind(const compiled_backend& be);

// Each operation is a friend function of an empty base class of the backend, where argument-dependent lookup finds it.
// So its arguments have the types of the table, and are converted to them.
#define SOFTSCORE_COMPILED_CALL(name, function, ...)                          \
  template <class T, class Pointer = decltype(compiled::operations<T>::name)> \
  struct name##_call;                                                         \
  template <class T, class... Arguments>                                      \
  struct name##_call<T, void (*)(void*, Arguments...)> {                      \
    friend void function(compiled_backend& be, Arguments... arguments) {      \
      operations_of<T>(be).name(kernels_behind<T>(be), arguments...);         \
    }                                                                         \
  };
SOFTSCORE_COMPILED_OPERATIONS(SOFTSCORE_COMPILED_CALL)
#undef SOFTSCORE_COMPILED_CALL

template <class... Calls>
struct all_of_them : Calls... {};
struct no_call {};
#define SOFTSCORE_COMPILED_BASES(name, function, ...) name##_call<float>, name##_call<double>,
using compiled_calls = all_of_them<SOFTSCORE_COMPILED_OPERATIONS(SOFTSCORE_COMPILED_BASES) no_call>;
#undef SOFTSCORE_COMPILED_BASES

// Runs the kernels' loop for the body at its position in List.
template <class List, class Body, class... T>
void run_known(void* backend, const compiled::known_loop* loops, const Body& body, view<T, host_space>... views) {
  const std::array arrays{compiled::any_view{raw(views), views.extent()}...};
  loops[place_in<List, Body, T...>](backend, &body, arrays.data());
}

}  // namespace detail

/// The oneTBB threads and kernels of `tbb_backend`, compiled beforehand into the library softscore::compiled, for
/// several instruction sets. A program that uses it compiles in a fraction of the time, needs no -march, and selects at
/// run time the kernels that are fastest on its processor. Bodies that a program writes for `for_each`, `each_pixel`,
/// `map_planes` and `map_channels` are compiled with the program. Results are those of a `tbb_backend` compiled for the
/// same instruction set, and the same for any number of threads.
class compiled_backend : public host_verbs<compiled_backend>, public detail::compiled_calls {
 public:
  /// Uses as many threads as this process may run at once, and the best instruction set of this processor, or the one
  /// that the environment variable SOFTSCORE_INSTRUCTIONS names; throws `error` if that one is not available.
  compiled_backend() : compiled_backend{0, compiled::chosen_kernels()} {}
  /// `threads` threads, the caller's included; throws `error` unless they are between 1 and 4096.
  explicit compiled_backend(std::size_t threads) : compiled_backend{checked(threads), compiled::chosen_kernels()} {}
  /// Uses the kernels of one instruction set; throws `error` if this processor lacks it.
  compiled_backend(std::size_t threads, compiled::instruction_set instructions)
      : compiled_backend{checked(threads), compiled::kernels_of(instructions)} {}

  compiled_backend(const compiled_backend&) = delete;
  compiled_backend& operator=(const compiled_backend&) = delete;

  std::size_t threads() const { return kernels_->threads(inner_.get()); }
  /// The instruction set of the kernels, "x86-64-v3" for example.
  std::string_view instructions() const { return kernels_->name; }

  /// Calls `body(i)` for i = 0 .. count - 1 on the backend's threads, as `tbb_backend::parallel` does.
  template <class Body>
  void parallel(std::size_t count, const Body& body) {
    kernels_->parallel(
        inner_.get(), count, [](const void* which, std::size_t i) { (*static_cast<const Body*>(which))(i); }, &body);
  }

  template <class Body, class... T>
  void for_each(Body body, view<T, host_space>... views) {
    using scalar = std::common_type_t<std::remove_const_t<T>...>;
    if constexpr (detail::Knows<detail::known_element_bodies<scalar>, Body, T...>)
      detail::run_known<detail::known_element_bodies<scalar>>(
          inner_.get(), detail::operations_of<scalar>(*this).over_elements, body, views...);
    else
      host_verbs::for_each(body, views...);
  }

  template <Scalar T>
  void normal(noise_key key, image_range images, view<T, host_space> out) {
    detail::operations_of<T>(*this).normal(inner_.get(), key, images, out);
  }

  template <Scalar T, class... Terms>
    requires(sizeof...(Terms) >= 1 && sizeof...(Terms) <= 4)
  void combine(view<T, host_space> out, const Terms&... terms) {
    const std::array summands{compiled::summand<T>{terms.coefficient, terms.array}...};
    detail::operations_of<T>(*this).combine(inner_.get(), out, summands.data(), summands.size());
  }

  template <std::same_as<float> T, class... Terms>
    requires(sizeof...(Terms) >= 1 && sizeof...(Terms) <= 3)
  void combine_with_normal(noise_key key, image_range images, double factor, view<T, host_space> out,
                           const Terms&... terms) {
    const std::array summands{compiled::summand<T>{terms.coefficient, terms.array}...};
    kernels_->of_float->combine_with_normal(inner_.get(), key, images, factor, out, summands.data(), summands.size());
  }

  template <Scalar T>
  void correlate_separably(view<const double, host_space> kernels, const_view<T, host_space> in,
                           view<T, host_space> out) {
    detail::operations_of<T>(*this).correlate_separably(inner_.get(), kernels, in, out);
  }

  template <class T>
  void dot(view<T, host_space> a, view<T, host_space> b, double* host) {
    detail::operations_of<std::remove_const_t<T>>(*this).dot(inner_.get(), a, b, host);
  }

 private:
  template <Scalar T>
  friend const compiled::operations<T>& detail::operations_of(const compiled_backend& be);
  template <Scalar T>
  friend void* detail::kernels_behind(const compiled_backend& be);

  compiled_backend(std::size_t threads, const compiled::kernels& kernels)
      : kernels_{&checked(kernels)}, inner_{owner_of(kernels.make_backend(threads))} {}

  static std::size_t checked(std::size_t threads) {
    require(threads >= 1 && threads <= 4096, "threads", threads, "between 1 and 4096");
    return threads;
  }
  static const compiled::kernels& checked(const compiled::kernels& kernels) {
    require(kernels.signature == detail::signature_of_kernels, "the library softscore::compiled", "of another version",
            "compiled with the headers of the program");
    return kernels;
  }
  static std::shared_ptr<void> owner_of(compiled::owned made) { return {made.object, made.destroy}; }

  const compiled::kernels* kernels_;
  std::shared_ptr<void> inner_;
};

namespace detail {
template <Scalar T>
const compiled::operations<T>& operations_of(const compiled_backend& be) {
  if constexpr (std::is_same_v<T, float>)
    return *be.kernels_->of_float;
  else
    return *be.kernels_->of_double;
}
template <Scalar T>
void* kernels_behind(const compiled_backend& be) {
  return be.inner_.get();
}
}  // namespace detail

static_assert(Backend<compiled_backend, float> && Backend<compiled_backend, double> && HostBackend<compiled_backend>);

}  // namespace softscore::inline SOFTSCORE_ABI
