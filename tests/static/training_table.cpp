// Corruption x objective x network x backend: an objective trains exactly where its needs are met. To compile is to
// pass; a wrong row is named by the claim that fails.
#include "roles.hpp"

#include <softscore/backend/serial.hpp>
#include <softscore/backend/tbb.hpp>

#include "../support/opaque_backend.hpp"

using namespace softscore;

namespace {

template <class Be, class T, class C, class O, class D>
struct claim {
  using denoiser = typename D::template on<typename C::type>;
  static constexpr bool met = (O::has & ~(C::has | D::gives)) == 0;
  static_assert(roles::Trains<Be, T, typename C::type, typename O::type, denoiser> == met,
                "this objective trains where the table says that it does not, or the other way round");
  static constexpr bool holds = true;
};
// A network that the corruption cannot have makes no claim.
template <class Be, class T, class C, class O, class D>
constexpr bool claimed() {
  if constexpr ((D::asks & ~C::has) == 0) return claim<Be, T, C, O, D>::holds;
  return true;
}
template <class Be, class T, class C, class D, class... Os>
constexpr bool with_objectives(roles::list<Os...>) {
  return (claimed<Be, T, C, Os, D>() && ...);
}
template <class Be, class T, class C, class... Ds>
constexpr bool with_networks(roles::list<Ds...>) {
  return (with_objectives<Be, T, C, Ds>(roles::objectives{}) && ...);
}
template <class Be, class T, class... Cs>
constexpr bool with_corruptions(roles::list<Cs...>) {
  return (with_networks<Be, T, Cs>(roles::networks{}) && ...);
}

// Every corruption where nothing can be touched; one of each kind on every backend.
static_assert(with_corruptions<archetype_backend, float>(roles::noisy{}));
static_assert(with_corruptions<archetype_backend, float>(roles::cold_ones{}));
static_assert(with_corruptions<serial_backend, float>(roles::kinds{}));
static_assert(with_corruptions<serial_backend, double>(roles::kinds{}));
static_assert(with_corruptions<tbb_backend, float>(roles::kinds{}));
static_assert(with_corruptions<opaque_backend, float>(roles::kinds{}));

}  // namespace
