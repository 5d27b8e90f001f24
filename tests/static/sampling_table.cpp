// Corruption x sampler x denoiser x backend: a sampler runs exactly where its needs are met. To compile is to pass; a
// wrong row is named by the claim that fails.
#include "roles.hpp"

#include <softscore/backend/serial.hpp>
#include <softscore/backend/tbb.hpp>

#include "../support/opaque_backend.hpp"

using namespace softscore;

namespace {

template <class Be, class T, class C, class S, class D>
struct claim {
  using denoiser = typename D::template on<typename C::type>;
  static constexpr bool met = (S::has & ~(C::has | D::gives)) == 0;
  static_assert(roles::Samples<Be, T, typename C::type, typename S::type, denoiser> == met,
                "this sampler runs where the table says that it does not, or the other way round");
  static constexpr bool holds = true;
};
// What a sampler states is what the list says.
template <class... Ss>
constexpr bool state_their_needs(roles::list<Ss...>) {
  return ((roles::needs_of<typename Ss::type>(needs::all{}) == Ss::has) && ...);
}
static_assert(state_their_needs(roles::samplers{}));

// A denoiser that the corruption cannot have makes no claim.
template <class Be, class T, class C, class S, class D>
constexpr bool claimed() {
  if constexpr ((D::asks & ~C::has) == 0) return claim<Be, T, C, S, D>::holds;
  return true;
}
template <class Be, class T, class C, class D, class... Ss>
constexpr bool with_samplers(roles::list<Ss...>) {
  return (claimed<Be, T, C, Ss, D>() && ...);
}
template <class Be, class T, class D, class... Cs>
constexpr bool with_corruptions(roles::list<Cs...>) {
  return (with_samplers<Be, T, Cs, D>(roles::samplers{}) && ...);
}
template <class Be, class T, class Corruptions, class... Ds>
constexpr bool with_denoisers(roles::list<Ds...>) {
  return (with_corruptions<Be, T, Ds>(Corruptions{}) && ...);
}

// Every corruption, with one denoiser; every denoiser, with one corruption of each kind and every backend.
static_assert(with_corruptions<archetype_backend, float, roles::plain>(roles::noisy{}));
static_assert(with_corruptions<archetype_backend, float, roles::plain>(roles::cold_ones{}));
static_assert(with_denoisers<archetype_backend, float, roles::kinds>(roles::denoisers{}));
static_assert(with_denoisers<archetype_backend, float, roles::kinds>(roles::wrappers{}));
static_assert(with_denoisers<serial_backend, float, roles::kinds>(roles::denoisers{}));
static_assert(with_denoisers<serial_backend, double, roles::kinds>(roles::denoisers{}));
static_assert(with_denoisers<tbb_backend, float, roles::kinds>(roles::denoisers{}));
static_assert(with_denoisers<tbb_backend, double, roles::kinds>(roles::denoisers{}));
static_assert(with_denoisers<opaque_backend, float, roles::kinds>(roles::denoisers{}));
static_assert(with_corruptions<opaque_backend, double, roles::plain>(roles::kinds{}));

// What the lists say of operators and corruptions.
template <class Op>
struct operator_claim {
  using type = typename Op::type;
  static constexpr bool says(roles::offer what) { return (Op::has & what) != 0; }
  static_assert(LinearOperator<type> && LinearOperator<type, tbb_backend, double> &&
                LinearOperator<type, opaque_backend, float>);
  static_assert(ScalarOperator<type> == says(roles::scalar), "this operator is a number, or is not, against the table");
  static_assert(DifferentiableInLevel<type> == says(roles::slope), "this operator has a derivative, or has none");
  static_assert(HasSvd<type> == says(roles::modes), "this operator has an SVD, or has none");
  static constexpr bool holds = true;
};
template <class C>
struct corruption_claim {
  using type = typename C::type;
  static constexpr bool says(roles::offer what) { return (C::has & what) != 0; }
  static_assert(GaussianCorruption<type> == says(roles::score) && ScalarSignal<type> == says(roles::scalar) &&
                BackgroundCorruption<type> == says(roles::background));
  static_assert(DifferentiableSignal<type, archetype_backend, float> == says(roles::slope),
                "this corruption knows its slope in time, or does not");
  static constexpr bool holds = true;
};
template <class... Ops>
constexpr bool operators_hold(roles::list<Ops...>) {
  return (operator_claim<Ops>::holds && ...);
}
template <class... Cs>
constexpr bool corruptions_hold(roles::list<Cs...>) {
  return (corruption_claim<Cs>::holds && ...);
}
static_assert(operators_hold(roles::operators{}));
static_assert(corruptions_hold(roles::noisy{}) && corruptions_hold(roles::cold_ones{}));

}  // namespace
