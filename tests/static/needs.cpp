// What is said of a sampler and a run that do not fit: the sentence of the first need that is not met, whichever need
// it is, also where the need is that of a sampler which another one steps by.
#include <softscore/sampling.hpp>

#include "../support/steady_denoiser.hpp"

using namespace softscore;

namespace {

using noisy = sampling_run<serial_backend, corruption<gaussian_blur, two_stage>, steady_denoiser, float>;
using cold_one = sampling_run<serial_backend, background_corruption<eraser, severity>, steady_denoiser, float>;
using jumping = sampling_run<serial_backend, corruption<centered_mask, two_stage>, steady_denoiser, float>;
using without_modes = sampling_run<serial_backend, corruption<motion_blur, two_stage>, steady_denoiser, float>;
// A denoiser without a pullback.
struct stiff_denoiser : private steady_denoiser {
  using steady_denoiser::evaluations, steady_denoiser::workspace, steady_denoiser::estimate;
};
using stiff = sampling_run<serial_backend, corruption<scaling, linear_beta>, stiff_denoiser, float>;

static_assert(unmet_need<ddim, noisy>().empty() && unmet_need<cold, cold_one>().empty() &&
              unmet_need<exponential_integrator<2>, jumping>().empty());
static_assert(unmet_need<ddim, cold_one>() == needs::score::sentence);
static_assert(unmet_need<ddpm, noisy>() == needs::scalar_signal::sentence);
static_assert(unmet_need<naive_cold, noisy>() == needs::background::sentence);
static_assert(unmet_need<euler, jumping>() == needs::derivative::sentence);
static_assert(unmet_need<exponential_integrator<2>, without_modes>() == needs::svd::sentence);
static_assert(unmet_need<pigdm<identity>, stiff>() == needs::pullback::sentence);
static_assert(unmet_need<mala, noisy>() == needs::density::sentence);
static_assert(unmet_need<learned_ddpm<>, stiff>() == needs::learned_variance::sentence);

// The corruption's come first.
static_assert(unmet_need<learned_ddpm<>, noisy>() == needs::scalar_signal::sentence);

static_assert(Needs<dps<identity>, needs::scalar_signal> && !Needs<dps<identity, ddim>, needs::scalar_signal>);
static_assert(unmet_need<predictor_corrector<euler_maruyama>, jumping>() == needs::derivative::sentence);
static_assert(unmet_need<predictor_corrector<learned_ddpm<>>, stiff>() == needs::learned_variance::sentence);
static_assert(unmet_need<predictor_corrector<mala>, stiff>() == needs::density::sentence);

// A flag that is false states nothing.
struct content : ddim {
  static constexpr bool needs_score = false, needs_svd = false;
};
static_assert(unmet_need<content, cold_one>().empty());

// `integrate` takes the last step of all but these.
static_assert(!HandlesLastStep<ddim> && !HandlesLastStep<predictor_corrector<ddim>>);
static_assert(HandlesLastStep<projection<identity>> && HandlesLastStep<predictor_corrector<projection<identity>>>);

}  // namespace
