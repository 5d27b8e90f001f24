// Which corruption, denoiser, sampler and backend run together, and which corruption, denoiser, objective and backend
// train together: to compile is to pass. A pair that does not compose is answered by one sentence where it is used
// (compile_fail).
#include <softscore/backend/archetype_operations.hpp>
#include <softscore/backend/serial.hpp>
#include <softscore/backend/tbb.hpp>
#include <softscore/corruption/background_corruption.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/linear_beta.hpp>
#include <softscore/corruption/severity.hpp>
#include <softscore/corruption/two_stage.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/corruption/variance_preserving.hpp>
#include <softscore/denoiser/gaussian_denoiser.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/nn/digit_cnn.hpp>
#include <softscore/objective/cold_loss.hpp>
#include <softscore/objective/epsilon_score.hpp>
#include <softscore/objective/naive_score.hpp>
#include <softscore/objective/soft_score.hpp>
#include <softscore/operator/centred_mask.hpp>
#include <softscore/operator/eraser.hpp>
#include <softscore/operator/fade.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/operator/on_host.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/sampler/cold.hpp>
#include <softscore/sampler/ddim.hpp>
#include <softscore/sampler/ddpm.hpp>
#include <softscore/sampler/heun.hpp>
#include <softscore/sampler/momentum.hpp>
#include <softscore/sampler/naive.hpp>
#include <softscore/sampler/probability_flow.hpp>
#include <softscore/sampler/sampling_run.hpp>

#include "../support/opaque_backend.hpp"
#include "../support/steady_denoiser.hpp"

using namespace softscore;

namespace {
// A type of a user's, adapted from outside.
struct crumpled {};
}  // namespace

template <>
struct softscore::degradation<crumpled> : softscore::on_host<softscore::degradation<crumpled>> {
  template <class T>
  static void apply_image(const crumpled&, level, const shape&, std::span<const T>, std::span<T>) {}
  template <class T>
  static void transpose_image(const crumpled&, level, const shape&, std::span<const T>, std::span<T>) {}
};

namespace {

// The corruptions, by what they offer.
using exploding = corruption<identity, variance_exploding>;   // noise, score, scalar signal
using preserving = corruption<scaling, variance_preserving>;  // noise, score, scalar signal
using chain = corruption<scaling, linear_beta>;               // noise, score, scalar signal
using blurring = corruption<gaussian_blur, two_stage>;        // noise, score
using masking = corruption<centred_mask, two_stage>;          // noise, score
using fading = corruption<fade, two_stage, fitted_start>;     // noise, score
using crumpling = corruption<crumpled, two_stage>;            // noise, score
using erasing = background_corruption<eraser, severity>;      // a background, no score
using washing = background_corruption<gaussian_blur, severity>;

static_assert(GaussianCorruption<exploding> && GaussianCorruption<preserving> && GaussianCorruption<chain>);
static_assert(GaussianCorruption<blurring> && GaussianCorruption<masking> && GaussianCorruption<fading> &&
              GaussianCorruption<crumpling>);
static_assert(!GaussianCorruption<erasing> && !GaussianCorruption<washing>);
static_assert(ScalarSignal<exploding> && ScalarSignal<preserving> && ScalarSignal<chain>);
static_assert(!ScalarSignal<blurring> && !ScalarSignal<masking> && !ScalarSignal<fading> && !ScalarSignal<crumpling>);
static_assert(!ScalarSignal<erasing> && !ScalarSignal<washing>);
static_assert(BackgroundCorruption<erasing> && BackgroundCorruption<washing>);
static_assert(!BackgroundCorruption<exploding> && !BackgroundCorruption<blurring>);

template <class... Each>
struct list {};
using score_corruptions = list<exploding, preserving, chain, blurring, masking, fading, crumpling>;
using scalar_corruptions = list<exploding, preserving, chain>;
using other_corruptions = list<blurring, masking, fading, crumpling>;
using cold_corruptions = list<erasing, washing>;

// Sampling: corruption x sampler x denoiser x backend x precision.
template <class Be, class T, class C, class S, class D>
concept Samples = Backend<Be, T> && Corruption<C, Be, T> && Denoiser<D, Be, T> && Sampler<S, sampling_run<Be, C, D, T>>;

template <class C, class S, class D>
constexpr bool samples_everywhere =
    Samples<serial_backend, float, C, S, D> && Samples<serial_backend, double, C, S, D> &&
    Samples<tbb_backend, float, C, S, D> && Samples<tbb_backend, double, C, S, D> &&
    Samples<opaque_backend, float, C, S, D> && Samples<archetype_backend, float, C, S, D>;
template <class C, class S, class D>
constexpr bool samples_nowhere =
    !Samples<serial_backend, float, C, S, D> && !Samples<tbb_backend, float, C, S, D> &&
    !Samples<opaque_backend, double, C, S, D> && !Samples<archetype_backend, float, C, S, D>;

// With every denoiser that the corruption allows.
template <class C, class S>
constexpr bool with_network =
    samples_everywhere<C, S, steady_denoiser> && samples_everywhere<C, S, residual_denoiser<digit_cnn>> &&
    samples_everywhere<C, S, clean_denoiser<digit_cnn>>;
template <class C, class S>
constexpr bool with_scalar = samples_everywhere<C, S, epsilon_denoiser<digit_cnn, C>> &&
                             samples_everywhere<C, S, velocity_denoiser<digit_cnn, C>>;
template <class C, class S>
constexpr bool with_exact = samples_everywhere<C, S, gaussian_denoiser<C>>;

template <class S, class... Cs>
constexpr bool yes(list<Cs...>) {
  return (with_network<Cs, S> && ...);
}
template <class S, class... Cs>
constexpr bool exactly(list<Cs...>) {
  return (with_exact<Cs, S> && ...);
}
template <class S, class... Cs>
constexpr bool scalar(list<Cs...>) {
  return (with_scalar<Cs, S> && ...);
}
template <class S, class... Cs>
constexpr bool no(list<Cs...>) {
  return ((samples_nowhere<Cs, S, steady_denoiser> && samples_nowhere<Cs, S, residual_denoiser<digit_cnn>>) && ...);
}

//                     noise alone                      blurs, masks, users' own            backgrounds
static_assert(yes<ddpm>(scalar_corruptions{}) && no<ddpm>(other_corruptions{}) && no<ddpm>(cold_corruptions{}));
static_assert(yes<ddim>(scalar_corruptions{}) && yes<ddim>(other_corruptions{}) && no<ddim>(cold_corruptions{}));
static_assert(yes<soft_ddim>(scalar_corruptions{}) && yes<soft_ddim>(other_corruptions{}) &&
              no<soft_ddim>(cold_corruptions{}));
static_assert(yes<naive>(scalar_corruptions{}) && yes<naive>(other_corruptions{}) && no<naive>(cold_corruptions{}));
static_assert(yes<momentum>(scalar_corruptions{}) && yes<momentum>(other_corruptions{}) &&
              no<momentum>(cold_corruptions{}));
static_assert(yes<probability_flow>(scalar_corruptions{}) && yes<probability_flow>(other_corruptions{}) &&
              no<probability_flow>(cold_corruptions{}));
static_assert(yes<heun>(scalar_corruptions{}) && yes<heun>(other_corruptions{}) && no<heun>(cold_corruptions{}));
static_assert(yes<cold>(scalar_corruptions{}) && yes<cold>(other_corruptions{}) && yes<cold>(cold_corruptions{}));

// The exact denoiser goes with every corruption that has a score, noise and velocity predictions with noise alone.
static_assert(exactly<ddpm>(scalar_corruptions{}) && exactly<ddim>(score_corruptions{}) &&
              exactly<soft_ddim>(score_corruptions{}));
static_assert(exactly<naive>(score_corruptions{}) && exactly<momentum>(score_corruptions{}) &&
              exactly<heun>(score_corruptions{}));
static_assert(exactly<probability_flow>(score_corruptions{}) && exactly<cold>(score_corruptions{}));
static_assert(scalar<ddpm>(scalar_corruptions{}) && scalar<ddim>(scalar_corruptions{}) &&
              scalar<momentum>(scalar_corruptions{}) && scalar<heun>(scalar_corruptions{}) &&
              scalar<cold>(scalar_corruptions{}));
template <class C>
concept HasExactDenoiser = requires { typename gaussian_denoiser<C>; };
static_assert(HasExactDenoiser<blurring> && HasExactDenoiser<chain> && !HasExactDenoiser<erasing> &&
              !HasExactDenoiser<washing>);
static_assert(ScalarGaussianCorruption<chain> && ScalarGaussianCorruption<exploding>);
static_assert(!ScalarGaussianCorruption<blurring> && !ScalarGaussianCorruption<masking> &&
              !ScalarGaussianCorruption<erasing>);

// Training: corruption x objective x denoiser x backend.
template <class C, class O, class D>
constexpr bool trains = Objective<O, C, D, serial_backend, float> && Objective<O, C, D, serial_backend, double> &&
                        Objective<O, C, D, tbb_backend, float> && Objective<O, C, D, opaque_backend, float> &&
                        Objective<O, C, D, archetype_backend, float>;
template <class C, class O, class D>
constexpr bool trains_not = !Objective<O, C, D, serial_backend, float> && !Objective<O, C, D, tbb_backend, float> &&
                            !Objective<O, C, D, opaque_backend, float>;
using residual = residual_denoiser<digit_cnn>;
using direct = clean_denoiser<digit_cnn>;

template <class... Cs>
constexpr bool trains_under_noise(list<Cs...>) {
  return ((trains<Cs, soft_score, residual> && trains<Cs, soft_score, direct> && trains<Cs, naive_score, residual> &&
           trains<Cs, naive_score, direct> && trains<Cs, cold_loss, residual> && trains<Cs, cold_loss, direct> &&
           trains_not<Cs, epsilon_score, residual> && trains_not<Cs, epsilon_score, direct>) &&
          ...);
}
template <class... Cs>
constexpr bool trains_on_noise(list<Cs...>) {
  return ((trains<Cs, epsilon_score, epsilon_denoiser<digit_cnn, Cs>> &&
           trains<Cs, soft_score, epsilon_denoiser<digit_cnn, Cs>> &&
           trains<Cs, naive_score, velocity_denoiser<digit_cnn, Cs>> &&
           trains_not<Cs, epsilon_score, velocity_denoiser<digit_cnn, Cs>>) &&
          ...);
}
template <class... Cs>
constexpr bool trains_with_backgrounds(list<Cs...>) {
  return ((trains<Cs, cold_loss, direct> && trains<Cs, cold_loss, residual> && trains<Cs, naive_score, direct> &&
           trains_not<Cs, soft_score, residual> && trains_not<Cs, soft_score, direct> &&
           trains_not<Cs, epsilon_score, direct>) &&
          ...);
}
static_assert(trains_under_noise(score_corruptions{}));
static_assert(trains_on_noise(scalar_corruptions{}));
static_assert(trains_with_backgrounds(cold_corruptions{}));

// What networks run on, and what the host may touch.
static_assert(Network<digit_cnn, serial_backend, float> && Network<digit_cnn, serial_backend, double>);
static_assert(Network<digit_cnn, tbb_backend, float> && Network<digit_cnn, opaque_backend, float> &&
              Network<digit_cnn, archetype_backend, float>);
static_assert(Trainable<residual> && Trainable<direct> && Trainable<epsilon_denoiser<digit_cnn, chain>>);
static_assert(!Trainable<steady_denoiser> && !Trainable<gaussian_denoiser<blurring>>);
static_assert(DifferentiableDenoiser<residual, tbb_backend, float> &&
              DifferentiableDenoiser<gaussian_denoiser<blurring>, tbb_backend, float>);
static_assert(HostBackend<serial_backend> && HostBackend<tbb_backend> && !HostBackend<opaque_backend> &&
              !HostBackend<archetype_backend>);

// What is not one of these.
struct no_order : momentum {
  static constexpr auto order = nullptr;
};
struct no_estimate {
  [[maybe_unused]] static constexpr int evaluations = 1;
  template <Scalar T, class Be>
  int workspace(Be&, shape) const {
    return 0;
  }
};
static_assert(!Backend<int, float> && !Backend<serial_backend, int> && !Backend<serial_backend, long double>);
static_assert(!LinearOperator<int> && !LinearOperator<two_stage> && !LinearOperator<blurring> &&
              !LinearOperator<crumpled, int>);
static_assert(ScalarOperator<scaling> && ScalarOperator<identity> && !ScalarOperator<gaussian_blur> &&
              !ScalarOperator<fade>);
static_assert(!Schedule<severity> && LevelSchedule<severity> && !Schedule<gaussian_blur> && !StartLaw<severity>);
static_assert(!Corruption<gaussian_blur> && !Corruption<two_stage> && !Corruption<residual>);
static_assert(!Denoiser<digit_cnn, serial_backend, float> && !Denoiser<no_estimate, serial_backend, float>);
static_assert(!Samples<serial_backend, float, blurring, two_stage, residual> &&
              !Samples<serial_backend, float, blurring, no_order, residual>);
static_assert(!Link<digit_cnn> && !Network<residual, serial_backend, float>);

}  // namespace
