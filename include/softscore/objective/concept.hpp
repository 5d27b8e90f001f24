#pragma once

#include <concepts>
#include <cstddef>
#include <utility>

#include <softscore/core/conditioning.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/movable.hpp>
#include <softscore/corruption/concept.hpp>
#include <softscore/denoiser/concept.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// A corrupted batch: the images x_0, the xi of each, x_t = C_t x_0 + N_t xi at the time of each, and the conditions
/// that the network receives. The labels are those of the data, even if the network takes none.
template <class Be, class T>
struct corrupted_batch {
  per_image<diffusion_time> times{diffusion_time{}};
  view_of<Be, const T> clean, xi, noisy;
  conditioning given{};
};

template <class O, class Be, class T>
using objective_memory = decltype(std::declval<const O&>().template workspace<T>(std::declval<Be&>(), shape{}));

/// `o.workspace<T>(be, shape)` makes the scratch arrays of batches of at most that shape.
template <class O, class Be, class T>
concept HasObjectiveWorkspace = requires(const O o, Be& be, shape s) {
  { o.template workspace<T>(be, s) } -> Movable;
};

/// `o.evaluate(be, corruption, denoiser, denoiser_memory, batch, phi, gradient, losses, memory)` computes the loss from
/// the network's output `phi` on `batch.noisy`. It writes the loss of each image to `losses` on the host, and the
/// gradient in phi of the batch's mean loss to `gradient`, which may be `phi`. Losses are means over an image's
/// elements.
template <class O, class C, class D, class Be, class T>
concept ScoresOutput =
    requires(const O o, Be& be, const C c, const D d, workspace_of<D, Be, T>& dm, const corrupted_batch<Be, T>& b,
             view_of<Be, const T> phi, view_of<Be, T> gradient, double* losses,
             objective_memory<O, Be, T>& m) { o.evaluate(be, c, d, dm, b, phi, gradient, losses, m); };

/// An objective declares its needs by `static constexpr bool`s of these names.
template <class O>
concept NeedsNormalNoise = requires { requires O::needs_normal_noise; };
template <class O>
concept NeedsEpsilonPrediction = requires { requires O::needs_epsilon_prediction; };
/// `needs_scalar_signal`, as for samplers: the loss uses a_t.
template <class O>
concept WeighsByGain = requires { requires O::needs_scalar_signal; };

/// `needs_labels`: the loss compares with the labels, even if the network takes none.
template <class O>
concept NeedsLabels = requires { requires O::needs_labels; };

/// `o.output(images)` is the shape that the network's output must have for a batch of that shape. Optional: without it
/// the output has the images' height and width, and `O::outputs` times their channels.
template <class O>
concept StatesNetworkOutput = requires(const O o, const shape& images) {
  { o.output(images) } -> std::same_as<shape>;
};

/// `O::outputs` is the required ratio of the output's channels to the image's; 1 if not stated.
template <class O>
constexpr std::size_t outputs_of() {
  if constexpr (requires { std::size_t{O::outputs}; }) return O::outputs;
  return 1;
}

template <class O, class C, class D>
concept ObjectiveNeedsAreMet =
    (!NeedsNormalNoise<O> || GaussianCorruption<C>) && (!WeighsByGain<O> || ScalarSignal<C>) &&
    (!NeedsEpsilonPrediction<O> || (D::predicts == prediction::epsilon));

/// What training minimizes for denoiser D under corruption C. It may use what `Corruption` and `ParameterizesOutput`
/// name, and `sigma` if it needs normal noise. Models: soft_score_matching_loss, naive_loss, epsilon_loss,
/// weighted_loss, learned_variance_loss, distillation_loss, cold_loss, cross_entropy.
template <class O, class C, class D, class Be, class T>
concept Objective = Corruption<C, Be, T> && ParameterizesOutput<D, Be, T> && ObjectiveNeedsAreMet<O, C, D> &&
                    HasObjectiveWorkspace<O, Be, T> && ScoresOutput<O, C, D, Be, T>;

namespace detail {
// Says in one sentence which need of an objective is not met.
template <class O, class C, class D>
constexpr void require_needs_of_objective() {
  static_assert(
      !NeedsNormalNoise<O> || HasNormalNoise<C>,
      "softscore: this objective needs standard normal noise, and this corruption's xi has another distribution");
  static_assert(!NeedsNormalNoise<O> || !HasNormalNoise<C> || HasSigma<C>,
                "softscore: this objective needs noise of a deviation sigma, and this corruption states none");
  static_assert(
      !WeighsByGain<O> || ScalarSignal<C>,
      "softscore: this objective needs a signal that is a number times the image, and this corruption's is not");
  static_assert(!NeedsEpsilonPrediction<O> || D::predicts == prediction::epsilon,
                "softscore: this objective trains a network that predicts the noise, and this denoiser's does not");
}
}  // namespace detail

}  // namespace softscore::inline SOFTSCORE_ABI
