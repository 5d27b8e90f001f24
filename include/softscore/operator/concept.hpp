#pragma once

#include <concepts>
#include <span>

#include <softscore/backend/archetype.hpp>
#include <softscore/backend/concept.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// How the library uses a linear operator family C_w of type `Op`: it calls `degradation<Op>::apply(op, be, levels, in,
/// out)` and `degradation<Op>::adjoint(...)`, never `Op` itself. This primary template forwards to members `apply`,
/// `adjoint` and, if they exist, `gain`, `derivative`, `compose`, `check_level` and `svd` of `Op`, so a struct with
/// those members needs nothing else. A specialization adapts a type from another library; the helpers `diagonal`,
/// `gathered` and `on_host` make that a few lines.
///
/// Level 0 is the identity and damage grows with the level; each image may have its own level. `in` and `out` have the
/// same shape and do not overlap.
template <class Op>
struct degradation {
  template <class Be, Scalar T>
  static void apply(const Op& op, Be& be, per_image<level> levels, in_of<Be, T> in, out_of<Be, T> out)
    requires requires { op.apply(be, levels, in, out); }
  {
    op.apply(be, levels, in, out);
  }
  template <class Be, Scalar T>
  static void adjoint(const Op& op, Be& be, per_image<level> levels, in_of<Be, T> in, out_of<Be, T> out)
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
  static double gain_derivative(const Op& op, level w)
    requires requires {
      { op.gain_derivative(w) } -> std::same_as<double>;
    }
  {
    return op.gain_derivative(w);
  }
  template <class Be, Scalar T>
  static void derivative(const Op& op, Be& be, per_image<level> levels, in_of<Be, T> in, out_of<Be, T> out)
    requires requires { op.derivative(be, levels, in, out); }
  {
    op.derivative(be, levels, in, out);
  }
  static level compose(const Op& op, level first, level second)
    requires requires {
      { op.compose(first, second) } -> std::same_as<level>;
    }
  {
    return op.compose(first, second);
  }
  static void check_level(const Op& op, level w)
    requires requires { op.check_level(w); }
  {
    op.check_level(w);
  }
  // The return type is written out, because deducing it would compile the decomposition.
  template <class Given>
  static auto svd(const Given& op, level w, const shape& image) -> decltype(op.svd(w, image)) {
    return op.svd(w, image);
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
/// dct_blur, fft_blur, motion_blur, kernel_blur, periodic_blur, centered_mask, random_mask, free_form_mask, fade,
/// eraser, box_downsampling, bicubic_downsampling, color_removal.
template <class Op, class Be = archetype_backend, class T = float>
concept LinearOperator = AppliesAtLevel<Op, Be, T> && HasAdjoint<Op, Be, T>;

/// A family with C_w = gain(w) I. Optional: it makes log-SNR methods and `ddpm` available, and steps cheaper.
template <class Op>
concept ScalarOperator = requires(const Op op, level w) {
  { degradation<Op>::gain(op, w) } -> std::same_as<double>;
};

/// `degradation<Op>::gain_derivative(op, w)` is the derivative of the gain with respect to the level. Optional.
template <class Op>
concept DifferentiableGain = ScalarOperator<Op> && requires(const Op op, level w) {
  { degradation<Op>::gain_derivative(op, w) } -> std::same_as<double>;
};

/// `degradation<Op>::derivative(op, be, levels, in, out)` stores (dC_w/dw) in: the family is smooth in its level.
/// Optional: methods of order above two need it at times between those of the grid.
template <class Op, class Be = archetype_backend, class T = float>
concept DifferentiableInLevel =
    LinearOperator<Op, Be, T> && requires(const Op op, Be& be, per_image<level> levels, view_of<Be, const T> in,
                                          view_of<Be, T> out) { degradation<Op>::derivative(op, be, levels, in, out); };

/// `degradation<Op>::compose(op, a, b)` is the level of C_b C_a, for a family that is a semigroup: two successive blurs
/// are one. Optional.
template <class Op>
concept ComposesLevels = requires(const Op op, level w) {
  { degradation<Op>::compose(op, w, w) } -> std::same_as<level>;
};

/// `degradation<Op>::never_amplifies` is true: |C_w x| <= |x| at every level, which `check_laws` then enforces.
/// Optional; the primary template takes it from `Op`.
template <class Op>
concept NeverAmplifies =
    requires { requires degradation<Op>::never_amplifies; } || requires { requires Op::never_amplifies; };

/// The singular values and vectors of one square matrix A = U diag(values) V^T of the elements of an image. `values()`
/// holds as many numbers as there are elements, in any order, none negative. `to_modes` stores V^T in, `from_modes` V
/// in, `measurement_to_modes` U^T in and `measurement_from_modes` U in; `in` and `out` have the same shape and do not
/// overlap, and mode k is at the position of element k.
template <class D, class Be, class T>
concept SingularValues = requires(const D d, Be& be, view_of<Be, const T> in, view_of<Be, T> out) {
  { d.values() } -> std::convertible_to<std::span<const double>>;
  d.to_modes(be, in, out);
  d.from_modes(be, in, out);
  d.measurement_to_modes(be, in, out);
  d.measurement_from_modes(be, in, out);
};

/// `degradation<Op>::svd(op, level, image)` decomposes C_w for images of that extent; their number does not matter.
/// Optional: restoration in the modes of a measurement needs it.
template <class Op, class Be = archetype_backend, class T = float>
concept HasSvd = LinearOperator<Op, Be, T> && requires(const Op op, level w, const shape& image) {
  { degradation<Op>::svd(op, w, image) } -> SingularValues<Be, T>;
};

}  // namespace softscore::inline SOFTSCORE_ABI
