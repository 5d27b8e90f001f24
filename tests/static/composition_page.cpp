// Prints the page of what composes, from the same lists and concepts as the tables; with a file as its argument, it
// compares the page with that file instead.
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>

#include "roles.hpp"

using namespace softscore;

namespace {

constexpr const char* yes_or_no(bool yes) { return yes ? "yes" : "-"; }

template <class Op>
void operator_row(std::ostream& out) {
  using type = typename Op::type;
  out << "| `" << Op::name << "` | " << yes_or_no(ScalarOperator<type>) << " | "
      << yes_or_no(DifferentiableInLevel<type>) << " | " << yes_or_no(HasSvd<type>) << " | "
      << yes_or_no(ComposesLevels<type>) << " | " << yes_or_no(NeverAmplifies<type>) << " |\n";
}
template <class... Ops>
void operator_rows(std::ostream& out, roles::list<Ops...>) {
  (operator_row<Ops>(out), ...);
}

template <class C, class S, class D>
constexpr bool samples() {
  if constexpr ((D::asks & ~C::has) == 0)
    return roles::Samples<archetype_backend, float, typename C::type, typename S::type,
                          typename D::template on<typename C::type>>;
  return false;
}
// The needs among `has`, by their flags.
template <class... Each>
std::string flags_of(roles::offer has, needs::list<Each...>) {
  std::string flags;
  ((flags += (has & roles::offers<Each>) == 0 ? "" : (flags.empty() ? "`" : ", `") + std::string{Each::flag} + '`'),
   ...);
  return flags;
}
std::string asked_of_denoiser(roles::offer has) {
  const std::string flags = flags_of(has & (roles::pullback | roles::density | roles::variance), needs::all{});
  return flags.empty() ? "any" : flags;
}
template <class... Each>
void need_rows(std::ostream& out, needs::list<Each...>) {
  ((out << "| `" << Each::flag << "` | " << Each::sentence << " |\n"), ...);
}
template <class S, class... Cs>
void sampler_row(std::ostream& out, roles::list<Cs...>) {
  using asked = roles::denoiser_role<"", roles::gaussian_on, roles::score, roles::none>;
  using learned = roles::denoiser_role<"", roles::learned_variance_on, roles::score | roles::scalar, roles::none>;
  out << "| `" << S::name << "` |";
  // A method that needs a density has it from an exact denoiser, a variance from a network that learns it.
  ((out << ' ' << yes_or_no(samples<Cs, S, roles::plain>() || samples<Cs, S, asked>() || samples<Cs, S, learned>())
        << " |"),
   ...);
  out << ' ' << asked_of_denoiser(S::has) << " |\n";
}
template <class... Ss>
void sampler_rows(std::ostream& out, roles::list<Ss...>) {
  (sampler_row<Ss>(out, roles::kinds{}), ...);
}

template <class C, class O, class D>
constexpr bool trains() {
  if constexpr ((D::asks & ~C::has) == 0)
    return roles::Trains<archetype_backend, float, typename C::type, typename O::type,
                         typename D::template on<typename C::type>>;
  return false;
}
// Which kinds of corruption an objective trains this network under.
template <class O, class D, class Scalar, class Smooth, class Jumping, class Background>
std::string kinds_for(roles::list<Scalar, Smooth, Jumping, Background>) {
  const bool scalar = trains<Scalar, O, D>(), other = trains<Smooth, O, D>() && trains<Jumping, O, D>(),
             background = trains<Background, O, D>();
  return background ? "all" : other ? "normal noise" : scalar ? "C = a I" : "-";
}
template <class O, class... Ds>
void objective_row(std::ostream& out, roles::list<Ds...>) {
  out << "| `" << O::name << "` |";
  ((out << ' ' << kinds_for<O, Ds>(roles::kinds{}) << " |"), ...);
  out << '\n';
}
template <class... Os>
void objective_rows(std::ostream& out, roles::list<Os...>) {
  (objective_row<Os>(out, roles::networks{}), ...);
}
template <class... Ds>
void network_names(std::ostream& out, roles::list<Ds...>) {
  ((out << " `" << Ds::name << "` |"), ...);
}
template <class... Ds>
void rule(std::ostream& out, roles::list<Ds...>) {
  out << "\n|---|";
  ((out << (Ds::name.empty() ? "" : "---|")), ...);
  out << '\n';
}
template <class... Each>
void names(std::ostream& out, roles::list<Each...>) {
  const char* between = "";
  ((out << between << '`' << Each::name << '`', between = ", "), ...);
}

std::string page() {
  std::ostringstream out;
  out << "# What composes\n\n"
         "Every combination works unless the method itself forbids it. Then the compiler says so in one sentence. "
         "These "
         "tables\nare made from the concepts that the compiler checks, by "
         "[composition_page.cpp](../../tests/static/composition_page.cpp), and\nproven for every combination by the "
         "tables of `static_assert` beside it. Backends make no difference.\n\n"
         "## Operators\n\n"
         "| operator | a number: C_w = a I | derivative in w | SVD | two in a row are one | never amplifies |\n"
         "|---|---|---|---|---|---|\n";
  operator_rows(out, roles::operators{});
  out << "\nWith any schedule an operator makes a corruption with normal noise, which has a score: ";
  names(out, roles::schedules{});
  out << ". With `severity` it makes one over a background, which has none.\n\n"
         "## Samplers\n\n"
         "Smooth means that operator and schedule know their derivatives; a mask's or an eraser's C_t jumps.\n\n"
         "| sampler | C = a I | smooth C_t | other C_t | over a background | denoiser |\n"
         "|---|---|---|---|---|---|\n";
  sampler_rows(out, roles::samplers{});
  out << "\n`exponential_integrator` needs modes that stand still, which it finds out when it starts: those of a "
         "diagonal, a "
         "DCT or an\nFFT do, those of `gaussian_blur` with its edges do not.\n\nAround a denoiser go ";
  names(out, roles::wrappers{});
  out << ".\n`classifier_guided` wants normal noise; it and `dynamic_thresholding` have no pullback.\n"
         "\n## What a sampler may need\n\n"
         "A sampler states a need by a `static constexpr bool`. Where a run does not meet it, the compiler says so:\n\n"
         "| need | `softscore: ...` |\n"
         "|---|---|\n";
  need_rows(out, needs::all{});
  out << "\n## Objectives\n\n"
         "Which corruptions an objective trains a network under, by what the network predicts.\n\n"
         "| objective |";
  network_names(out, roles::networks{});
  rule(out, roles::networks{});
  objective_rows(out, roles::objectives{});
  out << "\nThe exact denoisers - ";
  names(out, roles::exact{});
  out << " - need no training and know the density of x_t. They take every\ncorruption that has a score, the last one "
         "where the operator has an "
         "SVD.\n\n"
         "Next: [equation map](equations.md).\n";
  return out.str();
}

}  // namespace

int main(int count, char** arguments) {
  const std::string now = page();
  if (count < 2) {
    std::cout << now;
    return 0;
  }
  std::ostringstream kept;
  kept << std::ifstream{arguments[1]}.rdbuf();
  if (kept.str() == now) return 0;
  std::cerr << arguments[1] << " is not what this program prints; write it again with\n  " << arguments[0] << " > "
            << arguments[1] << '\n';
  return 1;
}
