#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/denoiser/concept.hpp>
#include <softscore/nn/concept.hpp>
#include <softscore/objective/weighted_residual.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Progressive distillation (Salimans and Ho 2022, Algorithm 2): the student learns to do in one step of `ddim` without
/// noise what its teacher does in two steps of half the length. Let x'' be the point that the teacher reaches at t'' =
/// t - 1 / steps. The student's estimate is compared with x~ = (x'' - (sigma'' / sigma) x_t) / (a'' - (sigma'' / sigma)
/// a), the estimate from which one step leads to x'' too: mean max(a^2 / sigma^2, 1) |h - x~|^2. Train it with
/// `time_distribution{steps}`, sample it with `ddim{}` on `uniform_grid(steps)`, then let it teach a student of half
/// the steps. It needs C_t = a_t I.
template <class Teacher>
class distillation_loss {
 public:
  static constexpr bool needs_normal_noise = true, needs_scalar_signal = true;

  /// The teacher is a denoiser, which takes two steps for each of the student's; `steps` is the student's number of
  /// steps. Throws `error` unless it is at least 1.
  distillation_loss(Teacher teacher, std::size_t steps) : teacher_{std::move(teacher)}, steps_{steps} {
    require(steps >= 1, "steps", steps, "at least 1");
  }

  const Teacher& teacher() const { return teacher_; }
  std::size_t steps() const { return steps_; }

  template <class A, class M>
  struct scratch {
    A estimate, moved, residual;
    M of_teacher;
    std::vector<diffusion_time> middle;
    std::vector<double> of_x, of_estimate, of_noisy, scales;
  };

  template <Scalar T, class Be>
  scratch<array_of<Be, T>, workspace_of<Teacher, Be, T>> workspace(Be& be, const shape& most) const {
    const std::vector<double> numbers(most.images);
    return {be.template make<T>(most),
            be.template make<T>(most),
            be.template make<T>(most),
            teacher_.template workspace<T>(be, most),
            std::vector<diffusion_time>(most.images),
            numbers,
            numbers,
            numbers,
            numbers};
  }

  /// `memory` holds everything that an evaluation needs; at a time below 1 / steps the loss is that of a step to 0.
  template <class Be, class C, class D, class DM, class T, class M>
  void evaluate(Be& be, const C& c, const D& denoiser, DM& denoiser_memory, const corrupted_batch<Be, T>& batch,
                in_of<Be, T> phi, out_of<Be, T> gradient, double* losses, M& memory) const {
    using one = term_of<Be, T>;
    const std::size_t images = phi.extent().images;
    const auto part = [&](auto& array) { return array.view().images(0, images); };
    const auto h = part(memory.estimate), x = part(memory.moved), residual = part(memory.residual);

    // To t': x' = (sigma' / sigma) x_t + (a' - a sigma' / sigma) h.
    teacher_.estimate(be, condition{first_images_of(images), batch.times, given_of(batch)}, batch.noisy, h,
                      memory.of_teacher);
    for (std::size_t i = 0; i < images; ++i) {
      const diffusion_time t = batch.times[i];
      memory.middle[i] = before(t, 0.5);
      memory.of_x[i] = c.sigma(memory.middle[i]) / c.sigma(t);
      memory.of_estimate[i] = c.signal_gain(memory.middle[i]) - c.signal_gain(t) * memory.of_x[i];
    }
    be.combine(x, one{each(memory.of_x), batch.noisy}, one{each(memory.of_estimate), h});

    // To t'', and from there to x~, which is stored in h.
    const per_image<diffusion_time> middle{std::span<const diffusion_time>{memory.middle.data(), images}};
    teacher_.estimate(be, condition{first_images_of(images), middle, given_of(batch)}, view_of<Be, const T>(x), h,
                      memory.of_teacher);
    for (std::size_t i = 0; i < images; ++i) {
      const diffusion_time t = batch.times[i], s = memory.middle[i], u = before(t, 1.0);
      const double ratio = c.sigma(u) / c.sigma(t);
      const double scale = 1.0 / (c.signal_gain(u) - ratio * c.signal_gain(t));
      memory.of_x[i] = scale * c.sigma(u) / c.sigma(s);
      memory.of_estimate[i] = scale * (c.signal_gain(u) - c.signal_gain(s) * c.sigma(u) / c.sigma(s));
      memory.of_noisy[i] = -scale * ratio;
    }
    be.combine(h, one{each(memory.of_x), x}, one{each(memory.of_estimate), h}, one{each(memory.of_noisy), batch.noisy});

    denoiser.template from_output<Be, T>(be, batch.times, batch.noisy, phi, residual, denoiser_memory);
    be.combine(residual, one{1.0, residual}, one{-1.0, h});
    detail::mean_square<Be, T>(be, residual, losses, memory.scales, [&](std::size_t i) {
      const double a = c.signal_gain(batch.times[i]), sigma = c.sigma(batch.times[i]);
      return (std::max)(a * a / (sigma * sigma), 1.0);
    });
    be.combine(residual, one{each(memory.scales), residual});
    denoiser.template to_output<Be, T>(be, batch.times, residual, gradient, denoiser_memory);
  }

 private:
  // The conditions of the images; they contain the labels only if the teacher takes them.
  template <class Batch>
  conditioning given_of(const Batch& batch) const {
    conditioning given = batch.given;
    bool takes_labels = false;
    if constexpr (TakesLabels<Teacher>) takes_labels = teacher_.label_count() > 0;
    if (!takes_labels) given.labels = {};
    return given;
  }
  static image_range first_images_of(std::size_t images) { return {0, images}; }
  static per_image<double> each(const std::vector<double>& numbers) { return each_of(numbers); }
  // The time that is `share` of a step of the student before t.
  diffusion_time before(diffusion_time t, double share) const {
    return diffusion_time{(std::max)(0.0, t.value - share / static_cast<double>(steps_))};
  }

  Teacher teacher_;
  std::size_t steps_;
};

static_assert(Objective<distillation_loss<archetype_denoiser>, archetype_corruption, archetype_denoiser,
                        archetype_backend, float>);

}  // namespace softscore::inline SOFTSCORE_ABI
