#pragma once

#include <utility>

#include <softscore/core/config.hpp>
#include <softscore/core/pooled_array.hpp>
#include <softscore/corruption/at_each_time.hpp>
#include <softscore/corruption/concept.hpp>
#include <softscore/operator/concept.hpp>
#include <softscore/operator/level_range.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// An operator family at the level that a schedule gives at every time: the signal C_{w(t)} x_0 of a corruption,
/// without what the corruption adds (Daras et al. 2022, Eq. 4). It is the base of `corruption` and
/// `background_corruption`.
template <class Op, class S>
class scheduled_operator {
  static_assert(LinearOperator<Op>, "softscore: this type is not a linear operator: it lacks apply or adjoint");

 public:
  using operator_type = Op;

  const Op& linear_operator() const { return operator_; }
  const S& schedule() const { return schedule_; }
  level level_at(diffusion_time t) const { return schedule_.level_at(t); }

  /// Stores C_t x.
  template <class Be, Scalar T>
  void signal(Be& be, per_image<diffusion_time> times, in_of<Be, T> x, out_of<Be, T> out) const {
    detail::pooled_array<level> buffer;
    degradation<Op>::apply(operator_, be, levels(times, x.extent().images, buffer), x, out);
  }

  /// Stores C_t^T x.
  template <class Be, Scalar T>
  void signal_adjoint(Be& be, per_image<diffusion_time> times, in_of<Be, T> x, out_of<Be, T> out) const {
    detail::pooled_array<level> buffer;
    degradation<Op>::adjoint(operator_, be, levels(times, x.extent().images, buffer), x, out);
  }

 protected:
  scheduled_operator(Op op, S schedule) : operator_{std::move(op)}, schedule_{std::move(schedule)} {}

  // Levels never fall with time, so the levels at the two ends enclose all others.
  void check() const {
    if constexpr (ChecksParameters<S>) schedule_.check();
    require_level(operator_, level_at(diffusion_time{0.0}));
    require_level(operator_, level_at(diffusion_time{1.0}));
  }

  per_image<level> levels(per_image<diffusion_time> times, std::size_t images,
                          detail::pooled_array<level>& buffer) const {
    return detail::at_each_time<level>(times, images, buffer, [&](diffusion_time t) { return schedule_.level_at(t); });
  }

 private:
  Op operator_;
  S schedule_;
};

}  // namespace softscore::inline SOFTSCORE_ABI
