#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>
#include <utility>
#include <vector>

#include <softscore/core/checked_size.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/denoiser/archetype.hpp>
#include <softscore/denoiser/concept.hpp>
#include <softscore/denoiser/wrapped_denoiser.hpp>
#include <softscore/nn/concept.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Stands for the second denoiser if one denoiser answers both with and without labels.
struct same_without_labels {};

/// Classifier-free guidance (Ho and Salimans 2022, Eq. 6): h = h_u + scale (h_c - h_u). The first denoiser receives the
/// labels and the second does not; both receive all other conditions. Noise, velocity and score are affine in h at
/// fixed x_t, so the same formula holds for them. Scale 0 gives the estimate without labels and scale 1 the one with
/// them; the paper's w is scale - 1. `classifier_free{denoiser, scale}` uses one denoiser for both.
template <class Conditional, class Unconditional = same_without_labels>
class classifier_free {
 public:
  static constexpr int evaluations = Conditional::evaluations + Unconditional::evaluations;
  using any_size = std::bool_constant<TakesAnySize<Conditional> && TakesAnySize<Unconditional>>;

  /// Throws `error` if the scale is not finite.
  classifier_free(Conditional conditional, Unconditional unconditional, double scale)
      : conditional_{std::move(conditional)}, unconditional_{std::move(unconditional)}, scale_{scale} {
    require(std::isfinite(scale_), "scale", scale_, "finite");
  }

  const Conditional& conditional() const { return conditional_; }
  const Unconditional& unconditional() const { return unconditional_; }
  double scale() const { return scale_; }

  /// Throws `error` at a time at which one of the two has no answer.
  void check(diffusion_time t) const {
    if constexpr (ChecksTimes<Conditional>) conditional_.check(t);
    if constexpr (ChecksTimes<Unconditional>) unconditional_.check(t);
  }
  /// Throws `error` for images, or conditions, that one of the two does not accept.
  void check(const conditioning& given, const shape& images) const {
    if constexpr (ChecksBatch<Conditional>) conditional_.check(given, images);
    if constexpr (ChecksBatch<Unconditional>) unconditional_.check(without_labels(given), images);
  }
  /// The shape of one image.
  shape image() const
    requires KnowsImage<Conditional>
  {
    return conditional_.image();
  }
  /// The number of classes that the conditional denoiser knows.
  std::size_t label_count() const
    requires TakesLabels<Conditional>
  {
    return conditional_.label_count();
  }

  template <class OfConditional, class OfUnconditional, class Array>
  struct memory {
    OfConditional conditional;
    OfUnconditional unconditional;
    Array other;
  };

  template <class Be, class T>
  using memory_of = memory<workspace_of<Conditional, Be, T>, workspace_of<Unconditional, Be, T>, array_of<Be, T>>;

  template <Scalar T, class Be>
  memory_of<Be, T> workspace(Be& be, const shape& most) const {
    return {conditional_.template workspace<T>(be, most), unconditional_.template workspace<T>(be, most),
            be.template make<T>(most)};
  }

  template <class Be, Scalar T, class M>
  void estimate(Be& be, const condition& q, in_of<Be, T> x, out_of<Be, T> out, M& ws) const {
    const auto other = ws.other.view().images(0, out.extent().images);
    conditional_.estimate(be, q, x, out, ws.conditional);
    unconditional_.estimate(be, without_labels(q), x, other, ws.unconditional);
    be.combine(out, term{scale_, out}, term{1.0 - scale_, other});
  }

  template <class Be, Scalar T, class M>
  void pullback(Be& be, const condition& q, in_of<Be, T> v, out_of<Be, T> out, M& ws) const
    requires PullsBack<Conditional, Be, T> && PullsBack<Unconditional, Be, T>
  {
    const auto other = ws.other.view().images(0, out.extent().images);
    conditional_.pullback(be, q, v, out, ws.conditional);
    unconditional_.pullback(be, without_labels(q), v, other, ws.unconditional);
    be.combine(out, term{scale_, out}, term{1.0 - scale_, other});
  }

  /// Stores the variance of a step that the conditional denoiser learned.
  template <class Be, Scalar T, class M>
  void variance_share(Be& be, const condition& q, out_of<Be, T> out, M& ws) const
    requires LearnsVariance<Conditional, Be, T>
  {
    conditional_.variance_share(be, q, out, ws.conditional);
  }

 private:
  static conditioning without_labels(conditioning given) {
    given.labels = {};
    return given;
  }
  static condition without_labels(condition q) {
    q.given.labels = {};
    return q;
  }

  Conditional conditional_;
  Unconditional unconditional_;
  double scale_;
};
static_assert(
    DifferentiableDenoiser<classifier_free<archetype_denoiser, archetype_denoiser>, archetype_backend, float>);

/// The same from one denoiser that takes labels. It is evaluated once for twice the images: first with their labels,
/// then with `no_class`. An estimate counts as two evaluations. If the scale is 0 or 1, or no labels are given, only
/// one half has an influence, and the other is not computed. A learned variance is that of the first half.
template <class D>
class classifier_free<D, same_without_labels> : public wrapped_denoiser<D> {
 public:
  static constexpr int evaluations = 2 * D::evaluations;

  /// Throws `error` if the scale is not finite, and for a denoiser whose network was made without classes.
  classifier_free(D denoiser, double scale) : wrapped_denoiser<D>{std::move(denoiser)}, scale_{scale} {
    static_assert(TakesLabels<D>,
                  "softscore: classifier-free guidance by one denoiser asks it with labels and without, and this "
                  "denoiser takes none: it has no label_count()");
    require(std::isfinite(scale_), "scale", scale_, "finite");
    if constexpr (TakesLabels<D>)
      require(this->inner().label_count() >= 1, "classes of a network under classifier-free guidance",
              this->inner().label_count(), "at least 1");
  }

  double scale() const { return scale_; }

  using wrapped_denoiser<D>::check;
  /// Throws `error` for images, or conditions, that the denoiser does not accept with the labels or without them.
  void check(const conditioning& given, const shape& images) const {
    wrapped_denoiser<D>::check(given, images);
    if (scale_ == 1.0 || given.labels.empty()) return;
    const std::vector<class_label> hidden(scale_ == 0.0 ? 0 : given.labels.size(), no_class);
    conditioning without = given;
    without.labels = hidden;
    wrapped_denoiser<D>::check(without, images);
  }

  template <class OfDenoiser, class Array>
  struct memory {
    OfDenoiser denoiser;
    Array in, out;  // twice the images
    std::vector<class_label> labels;
    std::vector<diffusion_time> times;
    std::vector<float> image, features;  // if they are given
  };

  template <Scalar T, class Be>
  memory<workspace_of<D, Be, T>, array_of<Be, T>> workspace(Be& be, const shape& most) const {
    const std::size_t count = one_decides() ? most.images : product_of("images under guidance", {2, most.images});
    const shape asked = most.with_images(count), kept = most.with_images(one_decides() ? 0 : count);
    return {this->inner().template workspace<T>(be, asked),
            be.template make<T>(kept),
            be.template make<T>(kept),
            std::vector<class_label>(count),
            std::vector<diffusion_time>(count),
            {},
            {}};
  }

  template <class Be, Scalar T, class M>
  void estimate(Be& be, const condition& q, in_of<Be, T> x, out_of<Be, T> out, M& ws) const {
    if (one_decides() || q.given.labels.empty()) return this->inner().estimate(be, decisive(q), x, out, ws.denoiser);
    in_halves<Be, T>(be, x, out, ws,
                     [&](auto in, auto to) { this->inner().estimate(be, twice(q, ws), in, to, ws.denoiser); });
  }

  template <class Be, Scalar T, class M>
  void pullback(Be& be, const condition& q, in_of<Be, T> v, out_of<Be, T> out, M& ws) const
    requires PullsBack<D, Be, T>
  {
    if (one_decides() || q.given.labels.empty()) return this->inner().pullback(be, decisive(q), v, out, ws.denoiser);
    in_halves<Be, T>(be, v, out, ws,
                     [&](auto in, auto to) { this->inner().pullback(be, twice(q, ws), in, to, ws.denoiser); });
  }

 private:
  bool one_decides() const { return scale_ == 0.0 || scale_ == 1.0; }
  condition decisive(condition q) const {
    if (scale_ == 0.0) q.given.labels = {};
    return q;
  }

  // Gives both halves the same images, evaluates them by `ask`, and combines the results.
  template <class Be, class T, class M, class Ask>
  void in_halves(Be& be, view_of<Be, const T> from, view_of<Be, T> to, M& ws, const Ask& ask) const {
    const std::size_t images = from.extent().images;
    const view_of<Be, T> in = ws.in.view().images(0, 2 * images), out = ws.out.view().images(0, 2 * images);
    be.combine(in.images(0, images), term_of<Be, T>{1.0, from});
    be.combine(in.images(images, images), term_of<Be, T>{1.0, from});
    ask(view_of<Be, const T>(in), out);
    be.combine(to, term_of<Be, T>{scale_, out.images(0, images)},
               term_of<Be, T>{1.0 - scale_, out.images(images, images)});
  }

  // The condition for twice the images. It is the same in both halves, except that the second has no class.
  template <class M>
  static condition twice(const condition& q, M& ws) {
    const std::size_t images = q.given.labels.size();
    std::copy(q.given.labels.begin(), q.given.labels.end(), ws.labels.begin());
    std::fill_n(ws.labels.begin() + static_cast<std::ptrdiff_t>(images), images, no_class);
    condition both{{q.images.first, images}, q.times, {{ws.labels.data(), 2 * images}, {}, {}}};
    if (!q.times.shared()) {
      for (std::size_t i = 0; i < images; ++i) ws.times[i] = ws.times[images + i] = q.times[i];
      both.times = each_of(ws.times);
    }
    both.given.image = repeated(q.given.image, ws.image);
    both.given.features = repeated(q.given.features, ws.features);
    return both;
  }
  static view<const float, host_space> repeated(view<const float, host_space> once, std::vector<float>& buffer) {
    if (once.empty()) return once;
    buffer.resize(2 * once.size());
    for (std::size_t i = 0; i < once.size(); ++i) buffer[i] = buffer[once.size() + i] = once[i];
    return {buffer.data(), once.extent().with_images(2 * once.extent().images)};
  }

  double scale_;
};
template <class D>
classifier_free(D, double) -> classifier_free<D>;

namespace detail {
struct archetype_of_classes : archetype_denoiser {
  std::size_t label_count() const;
};
}  // namespace detail
static_assert(DifferentiableDenoiser<classifier_free<detail::archetype_of_classes>, archetype_backend, float>);

}  // namespace softscore::inline SOFTSCORE_ABI
