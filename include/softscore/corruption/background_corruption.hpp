#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/pooled_array.hpp>
#include <softscore/corruption/concept.hpp>
#include <softscore/corruption/scheduled_operator.hpp>
#include <softscore/operator/concept.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// x_t = C_{w(t)} x_0 + (I - C_{w(t)}) b: the image fades into one background b per image, which the sampler knows
/// (Bansal et al. 2022; Knottenbelt n.d., Section 2a). b = c + `grain` z with one number c per image, uniform in
/// [-`range`, `range`], and z standard normal.
template <class Op, class S>
class background_corruption : public scheduled_operator<Op, S> {
  static_assert(LevelSchedule<S>, "softscore: this schedule lacks the level at a time");

 public:
  using distribution = fixed_background;

  /// Throws what the schedule's `check` throws, for a level that the operator does not have, and unless `range` and
  /// `grain` are finite and at least 0.
  background_corruption(Op op, S schedule, double range = 0.5, double grain = 0.05)
      : scheduled_operator<Op, S>{std::move(op), std::move(schedule)}, range_{range}, grain_{grain} {
    this->check();
    require(range_ >= 0.0 && std::isfinite(range_), "range", range_, "at least 0 and finite");
    require(grain_ >= 0.0 && std::isfinite(grain_), "grain", grain_, "at least 0 and finite");
  }

  /// Stores x_t as b + C_t (x_0 - b): one application of the operator.
  template <class Be, Scalar T>
  void corrupt(Be& be, per_image<diffusion_time> times, in_of<Be, T> clean, in_of<Be, T> xi, out_of<Be, T> out) const {
    auto difference = be.template make<T>(out.extent());
    be.combine(difference.view(), term_of<Be, T>{1.0, clean}, term_of<Be, T>{-1.0, xi});
    this->template signal<Be, T>(be, times, difference.view(), out);
    be.combine(out, term{1.0, out}, term_of<Be, T>{1.0, xi});
  }

  template <class Be, Scalar T>
  void draw_xi(Be& be, noise_key key, image_range images, out_of<Be, T> xi) const {
    be.normal(key, images, xi);
    noise_key color_key = key;
    color_key.draw = static_cast<std::uint8_t>(key.draw + 1);
    detail::pooled_array<double> colors{images.count};
    for (std::size_t i = 0; i < images.count; ++i)
      colors[i] = range_ * (2.0 * uniform(color_key, images.first + i, 0) - 1.0);
    auto flat = be.template make<T>(xi.extent());
    be.for_each(one{}, flat.view());
    be.combine(xi, term{grain_, xi}, term_of<Be, T>{each_of(colors), flat.view()});
  }

  /// Stores the x_t whose visible part C_t x_0 is 0; at t = 1, where C_t lets nothing through, this is b.
  template <class Be, Scalar T>
  void start(Be& be, diffusion_time t, std::uint64_t seed, image_range images, out_of<Be, T> x,
             out_of<Be, T> xi) const {
    draw_xi(be, noise_key{.seed = seed, .stream = noise_stream::start}, images, xi);
    auto nothing = be.template make<T>(x.extent());
    corrupt<Be, T>(be, t, nothing.view(), xi, x);
  }

 public:  // for kernels, which can use only public types
  struct one {
    template <class T>
    SOFTSCORE_HD void operator()(T& x) const {
      x = T{1};
    }
  };

 private:
  double range_, grain_;
};

}  // namespace softscore::inline SOFTSCORE_ABI
