#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/corruption/archetype.hpp>
#include <softscore/corruption/at_each_time.hpp>
#include <softscore/denoiser/archetype.hpp>
#include <softscore/denoiser/parameterization.hpp>
#include <softscore/denoiser/wrapped_denoiser.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// `g.gradient(be, condition, x, out, workspace)` stores the gradient in x of log p(c given x_t = x), where c is what
/// sampling should satisfy: a class, a caption, a measurement. The condition holds the labels of the images.
/// `g.workspace<T>(be, shape)` makes all memory that it writes to.
template <class G, class Be, class T>
concept GivesLogProbabilityGradient =
    HasWorkspace<G, Be, T> && requires(const G g, Be& be, condition q, view_of<Be, const T> x, view_of<Be, T> out,
                                       workspace_of<G, Be, T>& ws) { g.gradient(be, q, x, out, ws); };

/// Classifier guidance (Dhariwal and Nichol 2021, Algorithm 2): adds scale times the gradient of log p(c given x_t) to
/// the score. By Tweedie's formula h gains scale (sigma_t^2 / a_t) grad. With scale 1 and the exact gradient it is
/// E[x_0 given x_t and c]. It requires C = a I, where the score determines h.
template <class D, class C, class G>
class classifier_guided : public wrapped_denoiser<D> {
 public:
  /// Throws `error` if the scale is not finite.
  classifier_guided(D denoiser, C corruption, G guide, double scale = 1.0)
      : wrapped_denoiser<D>{std::move(denoiser)},
        corruption_{std::move(corruption)},
        classifier_{std::move(guide)},
        scale_{scale} {
    static_assert(
        ScalarGaussianCorruption<C>,
        "softscore: classifier guidance needs normal noise and a signal that is a number times the image, and this "
        "corruption lacks one of them");
    require(std::isfinite(scale_), "scale", scale_, "finite");
  }

  using wrapped_denoiser<D>::check;
  /// Throws `error` if no signal is left at that time, or if the denoiser has no answer there.
  void check(diffusion_time t) const {
    wrapped_denoiser<D>::check(t);
    static_cast<void>(gain(t));
  }

  template <class OfDenoiser, class OfClassifier, class Array>
  struct memory {
    OfDenoiser denoiser;
    OfClassifier classifier;
    Array gradient;
    std::vector<double> gains;  // per image, if images have times of their own
  };

  template <class Be, class T>
  using memory_of = memory<workspace_of<D, Be, T>, workspace_of<G, Be, T>, array_of<Be, T>>;

  template <Scalar T, class Be>
  memory_of<Be, T> workspace(Be& be, const shape& most) const {
    return {this->inner().template workspace<T>(be, most), classifier_.template workspace<T>(be, most),
            be.template make<T>(most), std::vector<double>(most.images)};
  }

  template <class Be, Scalar T, class M>
  void estimate(Be& be, const condition& q, in_of<Be, T> x, out_of<Be, T> out, M& ws) const {
    const std::size_t images = out.extent().images;
    const auto gradient = ws.gradient.view().images(0, images);
    classifier_.gradient(be, q, x, gradient, ws.classifier);
    this->inner().estimate(be, q, x, out, ws.denoiser);
    const auto gains =
        detail::at_each_time<double>(q.times, images, ws.gains, [&](diffusion_time t) { return gain(t); });
    be.combine(out, term{1.0, out}, term_of<Be, T>{gains, gradient});
  }

 private:
  double gain(diffusion_time t) const {
    if constexpr (ScalarGaussianCorruption<C>) {
      const double a = corruption_.signal_gain(t), sigma = corruption_.sigma(t);
      require(a > 0.0, "the signal's gain under classifier guidance", a, "above 0");
      return scale_ * sigma * sigma / a;
    }
    return 0.0;
  }

  C corruption_;
  G classifier_;
  double scale_;
};

namespace detail {
struct archetype_classifier {
  struct memory {};
  template <Scalar T, class Be>
  memory workspace(Be&, shape) const;
  template <class Be, Scalar T>
  void gradient(Be&, const condition&, in_of<Be, T>, out_of<Be, T>, memory&) const;
};
}  // namespace detail
static_assert(Denoiser<classifier_guided<archetype_denoiser, archetype_corruption, detail::archetype_classifier>,
                       archetype_backend, float>);

}  // namespace softscore::inline SOFTSCORE_ABI
