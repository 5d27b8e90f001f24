#pragma once

#include <concepts>
#include <cstddef>
#include <string_view>

#include <softscore/core/config.hpp>
#include <softscore/corruption/concept.hpp>
#include <softscore/denoiser/concept.hpp>
#include <softscore/operator/concept.hpp>

namespace softscore::inline SOFTSCORE_ABI {

// What a sampler may need of its corruption or denoiser, each need once: the flag by which a sampler S states it,
// whether a run R (sampling_run.hpp) meets it, and the sentence for a run that does not.
namespace needs {

// A static_assert of C++20 requires a literal, and programs print the same words.
#define SOFTSCORE_NEED_SENTENCE(words)               \
  static constexpr std::string_view sentence{words}; \
  template <bool Met>                                \
  static constexpr void require_met() {              \
    static_assert(Met, "softscore: " words);         \
  }

struct score {
  static constexpr std::string_view flag{"needs_score"};
  template <class S>
  static constexpr bool stated = requires { requires S::needs_score; };
  template <class R>
  static constexpr bool met = GaussianCorruption<typename R::corruption_type>;
  SOFTSCORE_NEED_SENTENCE("this sampler needs a score, and this corruption has none, for its noise is not normal")
};

struct scalar_signal {
  static constexpr std::string_view flag{"needs_scalar_signal"};
  template <class S>
  static constexpr bool stated = requires { requires S::needs_scalar_signal; };
  template <class R>
  static constexpr bool met = ScalarSignal<typename R::corruption_type>;
  SOFTSCORE_NEED_SENTENCE("this sampler needs a signal that is a number times the image, and this corruption's is not")
};

struct background {
  static constexpr std::string_view flag{"needs_background"};
  template <class S>
  static constexpr bool stated = requires { requires S::needs_background; };
  template <class R>
  static constexpr bool met = BackgroundCorruption<typename R::corruption_type>;
  SOFTSCORE_NEED_SENTENCE("this sampler needs to know the background, and this corruption declares none")
};

struct derivative {
  static constexpr std::string_view flag{"needs_derivative"};
  template <class S>
  static constexpr bool stated = requires { requires S::needs_derivative; };
  template <class R>
  static constexpr bool met =
      score::met<R> && DifferentiableSignal<typename R::corruption_type, typename R::backend, typename R::value_type>;
  SOFTSCORE_NEED_SENTENCE(
      "this sampler needs the corruption's derivative in time, and its operator or its schedule has none")
};

struct svd {
  static constexpr std::string_view flag{"needs_svd"};
  template <class S>
  static constexpr bool stated = requires { requires S::needs_svd; };
  template <class R>
  static constexpr bool met = requires(const typename R::corruption_type c, diffusion_time t) {
    typename R::corruption_type::operator_type;
    c.linear_operator();
    { c.level_at(t) } -> std::same_as<level>;
    requires HasSvd<typename R::corruption_type::operator_type, typename R::backend, typename R::value_type>;
  };
  SOFTSCORE_NEED_SENTENCE("this sampler needs the singular values of the corruption's operator, and it has none")
};

struct pullback {
  static constexpr std::string_view flag{"needs_pullback"};
  template <class S>
  static constexpr bool stated = requires { requires S::needs_pullback; };
  template <class R>
  static constexpr bool met =
      DifferentiableDenoiser<typename R::denoiser_type, typename R::backend, typename R::value_type>;
  SOFTSCORE_NEED_SENTENCE("this sampler needs the denoiser's pullback, and this denoiser has none")
};

struct density {
  static constexpr std::string_view flag{"needs_density"};
  template <class S>
  static constexpr bool stated = requires { requires S::needs_density; };
  template <class R>
  static constexpr bool met = KnowsDensity<typename R::denoiser_type, typename R::backend, typename R::value_type>;
  SOFTSCORE_NEED_SENTENCE("this sampler needs the density of the corrupted images, and this denoiser does not know it")
};

struct learned_variance {
  static constexpr std::string_view flag{"needs_learned_variance"};
  template <class S>
  static constexpr bool stated = requires { requires S::needs_learned_variance; };
  template <class R>
  static constexpr bool met = LearnsVariance<typename R::denoiser_type, typename R::backend, typename R::value_type>;
  SOFTSCORE_NEED_SENTENCE("this sampler needs a denoiser that learned the variance of a step, and this one did not")
};

#undef SOFTSCORE_NEED_SENTENCE

template <class... Each>
struct list {
  static constexpr std::size_t size = sizeof...(Each);
};
/// Every need; those of the corruption are first. A new need is a struct above and a name here.
using all = list<score, scalar_signal, background, derivative, svd, pullback, density, learned_variance>;

}  // namespace needs

namespace detail {
template <class S, class Need>
constexpr bool needs_or_steps_by() {
  if constexpr (Need::template stated<S>)
    return true;
  else if constexpr (requires { typename S::steps_by; })
    return needs_or_steps_by<typename S::steps_by, Need>();
  else
    return false;
}
}  // namespace detail

/// S states the need by a `static constexpr bool` with the name `Need::flag`, or steps by a sampler that has the need:
/// `using steps_by = Rule;`.
template <class S, class Need>
concept Needs = detail::needs_or_steps_by<S, Need>();
/// The corruption and the denoiser of the run R offer what the need requires.
template <class R, class Need>
concept Meets = Need::template met<R>;

namespace detail {
template <class S, class R, class Need>
inline constexpr bool lacks = Needs<S, Need> && !Meets<R, Need>;

template <class S, class R, class... Each>
constexpr std::string_view unmet_need(needs::list<Each...>) {
  std::string_view found;
  ((found = found.empty() && lacks<S, R, Each> ? Each::sentence : found), ...);
  return found;
}
template <class S, class R, class... Each>
constexpr void require_needs(needs::list<Each...>) {
  (Each::template require_met<!lacks<S, R, Each>>(), ...);
}
}  // namespace detail

/// Returns the sentence of the first need of S that R does not meet; empty if R meets them all.
template <class S, class R>
constexpr std::string_view unmet_need() {
  return detail::unmet_need<S, R>(needs::all{});
}

/// R offers everything that S needs. `integrate` says in one sentence which need is not met.
template <class S, class R>
concept NeedsAreMet = unmet_need<S, R>().empty();

}  // namespace softscore::inline SOFTSCORE_ABI
