#pragma once

#include <softscore/core/config.hpp>
#include <softscore/corruption/concept.hpp>
#include <softscore/denoiser/concept.hpp>
#include <softscore/sampler/concept.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// Whether sampler, corruption and denoiser, the second to fourth argument of a call on backend `Be`, stand where they
// belong. If one stands where another belongs, says in one sentence which.
template <class Be, class S, class C, class D, class T>
constexpr bool in_order() {
  if constexpr (Corruption<S, Be, T>) {
    static_assert(!Corruption<S, Be, T>,
                  "softscore: the second argument is a corruption, but it must be the sampler; the corruption is the "
                  "third");
    return false;
  } else if constexpr (Denoiser<S, Be, T>) {
    static_assert(!Denoiser<S, Be, T>,
                  "softscore: the second argument is a denoiser, but it must be the sampler; the denoiser is the "
                  "fourth");
    return false;
  } else if constexpr (Denoiser<C, Be, T>) {
    static_assert(!Denoiser<C, Be, T>,
                  "softscore: the third argument is a denoiser, but it must be the corruption; the denoiser is the "
                  "fourth");
    return false;
  } else if constexpr (StatesOrder<C>) {
    static_assert(!StatesOrder<C>,
                  "softscore: the third argument is a sampler, but it must be the corruption; the sampler is the "
                  "second");
    return false;
  } else if constexpr (Corruption<D, Be, T>) {
    static_assert(!Corruption<D, Be, T>,
                  "softscore: the fourth argument is a corruption, but it must be the denoiser; the corruption is the "
                  "third");
    return false;
  } else {
    static_assert(
        !StatesOrder<D>,
        "softscore: the fourth argument is a sampler, but it must be the denoiser; the sampler is the second");
    return !StatesOrder<D>;
  }
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
