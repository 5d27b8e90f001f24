#pragma once

#include <concepts>
#include <utility>

#include <softscore/backend/archetype.hpp>
#include <softscore/backend/concept.hpp>
#include <softscore/core/conditioning.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/movable.hpp>
#include <softscore/core/noise.hpp>
#include <softscore/core/per_image.hpp>
#include <softscore/core/quantity.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// What an estimate depends on besides x_t: which images of the run these are, the time of each, and what else is known
/// about them. The members of `given` hold only the images of this batch.
struct condition {
  image_range images{};
  per_image<diffusion_time> times{diffusion_time{}};
  conditioning given{};
};

/// What the output phi of a network means: the residual x_0 - x_t, the noise eps, the clean image x_0, the velocity v =
/// a eps - sigma x_0, the score -eps / sigma, or a mixture chosen by a preconditioning, which has a meaning only
/// through the estimate.
enum class prediction { residual, epsilon, clean, velocity, score, preconditioned };

/// `d.workspace<T>(be, shape)` makes all memory that an evaluation writes to, for batches of at most that shape.
template <class D, class Be, class T>
concept HasWorkspace = requires(const D d, Be& be, shape s) {
  { d.template workspace<T>(be, s) } -> Movable;
};

template <class D, class Be, class T>
using workspace_of =
    decltype(std::declval<const D&>().template workspace<T>(std::declval<Be&>(), std::declval<shape>()));

/// `d.estimate(be, condition, x, out, workspace)` stores an estimate of E[x_0 given x_t = x] into `out`.
template <class D, class Be, class T>
concept EstimatesClean = requires(const D d, Be& be, condition q, view_of<Be, const T> x, view_of<Be, T> out,
                                  workspace_of<D, Be, T>& ws) { d.estimate(be, q, x, out, ws); };

/// `D::evaluations` is the number of network evaluations that one estimate costs.
template <class D>
concept CountsEvaluations = requires {
  { D::evaluations } -> std::convertible_to<int>;
};

/// h(x_t, t), an estimate of E[x_0 given x_t]. A denoiser is const: an evaluation writes only to its workspace. Models:
/// residual_denoiser, epsilon_denoiser, learned_variance_denoiser, clean_denoiser, velocity_denoiser,
/// gaussian_denoiser, mixture_denoiser, posterior_denoiser, spectral_denoiser, edm_denoiser, classifier_free,
/// classifier_guided, static_thresholding, dynamic_thresholding.
template <class D, class Be, class T>
concept Denoiser = HasWorkspace<D, Be, T> && EstimatesClean<D, Be, T> && CountsEvaluations<D>;

/// `d.pullback(be, condition, v, out, workspace)` stores J^T v into `out`, where J is the derivative in x of the
/// workspace's last estimate: a vector-Jacobian product (vjp). Optional: guidance by gradients needs it.
template <class D, class Be, class T>
concept PullsBack = requires(const D d, Be& be, condition q, view_of<Be, const T> v, view_of<Be, T> out,
                             workspace_of<D, Be, T>& ws) { d.pullback(be, q, v, out, ws); };

/// `d.check(t)` throws at a time at which `d` has no answer; `integrate` calls it for every time of a grid before it
/// starts. Optional.
template <class D>
concept ChecksTimes = requires(const D d, diffusion_time t) { d.check(t); };

/// `d.check(given, images)` throws for conditions or a batch shape that `d` does not accept; `integrate` calls it
/// before it starts. Optional.
template <class D>
concept ChecksBatch = requires(const D d, const conditioning& given, const shape& images) { d.check(given, images); };

/// `d.image()` is the shape of the images that `d` accepts, for any number of images. Optional: `integrate` refuses
/// other shapes unless `TakesAnySize` (nn/concept.hpp) holds, and sampling draws images of that shape.
template <class D>
concept KnowsImage = requires(const D d) {
  { d.image() } -> std::convertible_to<shape>;
};

/// `d.log_density(be, condition, x, host, workspace)` writes log p_t(x) of each image to `host`, where p_t is the
/// density of x_t. Optional: closed forms know it, and methods that accept or reject a step need it.
template <class D, class Be, class T>
concept KnowsDensity = requires(const D d, Be& be, condition q, view_of<Be, const T> x, double* host,
                                workspace_of<D, Be, T>& ws) { d.log_density(be, q, x, host, ws); };

/// `d.variance_share(be, condition, out, workspace)` stores, for every element of the workspace's last estimate, the
/// share u of log beta in the logarithm of an ancestral step's variance; the share of log beta tilde is 1 - u (Nichol
/// and Dhariwal 2021, Eq. 15). Optional: `learned_ddpm` needs it.
template <class D, class Be, class T>
concept LearnsVariance = requires(const D d, Be& be, condition q, view_of<Be, T> out, workspace_of<D, Be, T>& ws) {
  d.variance_share(be, q, out, ws);
};

template <class D, class Be, class T>
concept DifferentiableDenoiser = Denoiser<D, Be, T> && PullsBack<D, Be, T>;

/// `d.from_output<Be, T>(be, times, x, phi, out, workspace)` stores the estimate that corresponds to a network's output
/// `phi` at x into `out`, which may be `phi`. `d.to_output<Be, T>(be, times, gradient, out, workspace)` turns the
/// gradient of a loss in the estimate into the gradient in phi. `D::predicts` says what phi means. Optional: objectives
/// need it.
template <class D, class Be, class T>
concept ParameterizesOutput = requires(const D d, Be& be, per_image<diffusion_time> times, view_of<Be, const T> in,
                                       view_of<Be, T> out, workspace_of<D, Be, T>& ws) {
  { D::predicts } -> std::convertible_to<prediction>;
  d.template from_output<Be, T>(be, times, in, in, out, ws);
  d.template to_output<Be, T>(be, times, in, out, ws);
};

}  // namespace softscore::inline SOFTSCORE_ABI
