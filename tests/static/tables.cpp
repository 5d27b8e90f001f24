// What models which concept, and what does not. sampling_table.cpp and training_table.cpp say what composes: to compile
// is to pass. A pair that does not compose is answered by one sentence where it is used (compile_fail).
#include "roles.hpp"

#include <softscore/backend/serial.hpp>
#include <softscore/backend/tbb.hpp>

#include "../support/opaque_backend.hpp"

using namespace softscore;

namespace {

using exploding = corruption<identity, variance_exploding>;
using preserving = corruption<scaling, variance_preserving>;
using chain = corruption<scaling, linear_beta>;
using blurring = corruption<gaussian_blur, two_stage>;
using masking = corruption<centered_mask, two_stage>;
using fading = corruption<fade, two_stage, fitted_prior>;
using crumpling = corruption<elsewhere::crumpled, two_stage>;
using erasing = background_corruption<eraser, severity>;
using washing = background_corruption<gaussian_blur, severity>;
using residual = residual_denoiser<plain_cnn>;
using direct = clean_denoiser<plain_cnn>;

static_assert(GaussianCorruption<exploding> && GaussianCorruption<preserving> && GaussianCorruption<chain>);
static_assert(GaussianCorruption<blurring> && GaussianCorruption<masking> && GaussianCorruption<fading> &&
              GaussianCorruption<crumpling>);
static_assert(!GaussianCorruption<erasing> && !GaussianCorruption<washing>);
static_assert(ScalarSignal<exploding> && ScalarSignal<preserving> && ScalarSignal<chain>);
static_assert(!ScalarSignal<blurring> && !ScalarSignal<masking> && !ScalarSignal<fading> && !ScalarSignal<crumpling>);
static_assert(!ScalarSignal<erasing> && !ScalarSignal<washing>);
static_assert(BackgroundCorruption<erasing> && BackgroundCorruption<washing>);
static_assert(!BackgroundCorruption<exploding> && !BackgroundCorruption<blurring>);
template <class C>
concept HasExactDenoiser = requires { typename gaussian_denoiser<C>; };
static_assert(HasExactDenoiser<blurring> && HasExactDenoiser<chain> && !HasExactDenoiser<erasing> &&
              !HasExactDenoiser<washing>);
static_assert(ScalarGaussianCorruption<chain> && ScalarGaussianCorruption<exploding>);
static_assert(!ScalarGaussianCorruption<blurring> && !ScalarGaussianCorruption<masking> &&
              !ScalarGaussianCorruption<erasing>);

// What networks run on, and what the host may touch.
static_assert(Network<plain_cnn, serial_backend, float> && Network<plain_cnn, serial_backend, double>);
static_assert(Network<plain_cnn, tbb_backend, float> && Network<plain_cnn, opaque_backend, float> &&
              Network<plain_cnn, archetype_backend, float>);
static_assert(Trainable<residual> && Trainable<direct> && Trainable<epsilon_denoiser<plain_cnn, chain>>);
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
              !LinearOperator<elsewhere::crumpled, int>);
static_assert(ScalarOperator<scaling> && ScalarOperator<identity> && !ScalarOperator<gaussian_blur> &&
              !ScalarOperator<fade>);
static_assert(!Schedule<severity> && LevelSchedule<severity> && !Schedule<gaussian_blur> && !Prior<severity>);
static_assert(!Corruption<gaussian_blur> && !Corruption<two_stage> && !Corruption<residual>);
static_assert(!Denoiser<plain_cnn, serial_backend, float> && !Denoiser<no_estimate, serial_backend, float>);
static_assert(!roles::Samples<serial_backend, float, blurring, two_stage, residual> &&
              !roles::Samples<serial_backend, float, blurring, no_order, residual>);
static_assert(!Parameterization<plain_cnn> && !Network<residual, serial_backend, float>);

}  // namespace
