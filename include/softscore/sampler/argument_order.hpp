#pragma once

#include <softscore/core/config.hpp>
#include <softscore/corruption/concept.hpp>
#include <softscore/denoiser/concept.hpp>
#include <softscore/sampler/concept.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// Checks whether sampler, corruption and denoiser, the second to fourth argument of a call on backend `Be`, are in this
// order. If they are not, one sentence says which argument is in the wrong place.
template <class Be, class S, class C, class D, class T>
constexpr bool in_order() {
  if constexpr (Corruption<S, Be, T>) {
    static_assert(!Corruption<S, Be, T>,
                  "softscore: this type is not a sampler, but a corruption: the sampler is the second argument, the "
                  "corruption the third");
    return false;
  } else if constexpr (Denoiser<S, Be, T>) {
    static_assert(!Denoiser<S, Be, T>,
                  "softscore: this type is not a sampler, but a denoiser: the sampler is the second argument, the "
                  "denoiser the fourth");
    return false;
  } else if constexpr (Denoiser<C, Be, T>) {
    static_assert(!Denoiser<C, Be, T>,
                  "softscore: this type is not a corruption on this backend, but a denoiser: the corruption is the "
                  "third argument, the denoiser the fourth");
    return false;
  } else if constexpr (StatesOrder<C>) {
    static_assert(!StatesOrder<C>,
                  "softscore: this type is not a corruption on this backend, but a sampler: the corruption is the "
                  "third argument, the sampler the second");
    return false;
  } else if constexpr (Corruption<D, Be, T>) {
    static_assert(!Corruption<D, Be, T>,
                  "softscore: this type is not a denoiser on this backend, but a corruption: the denoiser is the "
                  "fourth argument, the corruption the third");
    return false;
  } else if constexpr (StatesOrder<D>) {
    static_assert(!StatesOrder<D>,
                  "softscore: this type is not a denoiser on this backend, but a sampler: the denoiser is the fourth "
                  "argument, the sampler the second");
    return false;
  } else {
    return true;
  }
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
