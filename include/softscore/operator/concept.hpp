#pragma once

#include <concepts>

#include <softscore/backend/archetype.hpp>
#include <softscore/backend/concept.hpp>

namespace softscore {

/// How the library uses a linear operator family C_w of type `Op`: it calls `degradation<Op>::apply(op, be, levels, in,
/// out)` and `degradation<Op>::adjoint(...)`, never `Op` itself. This primary template forwards to members `apply`,
/// `adjoint` and, where they exist, `gain` of `Op`, so a struct with those members needs nothing else. A type from
/// elsewhere is adapted by a specialisation; the helpers `diagonal`, `gathered` and `on_host` make that a few lines.
///
/// Level 0 is the identity and damage grows with the level; there may be one level per image. `in` and `out` have one
/// shape and do not overlap.
template <class Op>
struct degradation {
  template <class Be, Scalar T>
  static void apply(const Op& op, Be& be, per_image<level> levels, const_view<T, typename Be::space> in,
                    view<T, typename Be::space> out)
    requires requires { op.apply(be, levels, in, out); }
  {
    op.apply(be, levels, in, out);
  }
  template <class Be, Scalar T>
  static void adjoint(const Op& op, Be& be, per_image<level> levels, const_view<T, typename Be::space> in,
                      view<T, typename Be::space> out)
    requires requires { op.adjoint(be, levels, in, out); }
  {
    op.adjoint(be, levels, in, out);
  }
  static double gain(const Op& op, level w)
    requires requires {
      { op.gain(w) } -> std::same_as<double>;
    }
  {
    return op.gain(w);
  }
};

/// `degradation<Op>::apply(op, be, levels, in, out)` stores C_w in, with w = levels[image], into `out`.
template <class Op, class Be, class T>
concept AppliesAtLevel = requires(const Op op, Be& be, per_image<level> levels, view_of<Be, const T> in,
                                  view_of<Be, T> out) { degradation<Op>::apply(op, be, levels, in, out); };

/// `degradation<Op>::adjoint(op, be, levels, in, out)` stores the transpose of C_w times in.
template <class Op, class Be, class T>
concept HasAdjoint = requires(const Op op, Be& be, per_image<level> levels, view_of<Be, const T> in,
                              view_of<Be, T> out) { degradation<Op>::adjoint(op, be, levels, in, out); };

/// A linear operator family that runs on backend `Be` for elements `T`. Models: identity, scaling, gaussian_blur,
/// centred_mask, fade, eraser.
template <class Op, class Be = archetype_backend, class T = float>
concept LinearOperator = AppliesAtLevel<Op, Be, T> && HasAdjoint<Op, Be, T>;

/// A family with C_w = gain(w) I. Optional: it makes log-SNR methods and `ddpm` available, and steps cheaper.
template <class Op>
concept ScalarOperator = requires(const Op op, level w) {
  { degradation<Op>::gain(op, w) } -> std::same_as<double>;
};

}  // namespace softscore
