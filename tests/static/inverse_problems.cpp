// Which methods for inverse problems run with which corruption, denoiser, measurement and backend, and which denoisers
// that wrap denoisers pull back: to compile is to pass.
#include <softscore/backend/serial/backend.hpp>
#include <softscore/backend/tbb/backend.hpp>
#include <softscore/corruption/background_corruption.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/linear_beta.hpp>
#include <softscore/corruption/severity.hpp>
#include <softscore/corruption/two_stage.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/denoiser/classifier_free.hpp>
#include <softscore/denoiser/thresholding.hpp>
#include <softscore/operator/box_downsampling.hpp>
#include <softscore/operator/centered_mask.hpp>
#include <softscore/operator/dct_blur.hpp>
#include <softscore/operator/eraser.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/sampler/ddrm.hpp>
#include <softscore/sampler/diffpir.hpp>
#include <softscore/sampler/dps.hpp>
#include <softscore/sampler/momentum.hpp>
#include <softscore/sampler/pigdm.hpp>
#include <softscore/sampler/projection.hpp>
#include <softscore/sampler/repaint.hpp>

#include "../support/opaque_backend.hpp"
#include "../support/steady_denoiser.hpp"

using namespace softscore;

namespace {

using chain = corruption<scaling, linear_beta>;
using exploding = corruption<identity, variance_exploding>;
using blurring = corruption<gaussian_blur, two_stage>;
using masking = corruption<centered_mask, two_stage>;
using erasing = background_corruption<eraser, severity>;

// The same without a pullback.
struct stiff_denoiser : private steady_denoiser {
  using steady_denoiser::evaluations, steady_denoiser::workspace, steady_denoiser::estimate;
};

template <class S, class C, class D>
constexpr bool runs =
    Sampler<S, sampling_run<serial_backend, C, D, float>> && Sampler<S, sampling_run<serial_backend, C, D, double>> &&
    Sampler<S, sampling_run<tbb_backend, C, D, float>> && Sampler<S, sampling_run<opaque_backend, C, D, float>> &&
    Sampler<S, sampling_run<archetype_backend, C, D, float>>;
template <class S, class C, class D>
constexpr bool lacks = !NeedsAreMet<S, sampling_run<serial_backend, C, D, float>> &&
                       !NeedsAreMet<S, sampling_run<opaque_backend, C, D, float>>;

template <class... Ops>
struct list {};
using measurements = list<identity, scaling, gaussian_blur, dct_blur, centered_mask, box_downsampling, eraser>;

// Under noise alone everything runs, with any measurement.
template <class C, class... Ops>
constexpr bool all_run(list<Ops...>) {
  return ((runs<projection<Ops>, C, stiff_denoiser> && runs<diffpir<Ops>, C, stiff_denoiser> &&
           runs<repaint<Ops>, C, stiff_denoiser> && runs<ddrm<Ops>, C, stiff_denoiser> &&
           runs<pigdm<Ops>, C, steady_denoiser> && runs<dps<Ops>, C, steady_denoiser>) &&
          ...);
}
static_assert(all_run<chain>(measurements{}) && all_run<exploding>(measurements{}));

// Guidance by gradients needs a pullback.
static_assert(lacks<pigdm<identity>, chain, stiff_denoiser> && lacks<dps<identity>, chain, stiff_denoiser>);

// Under another corruption: what steps by a rule that runs there.
template <class C, class... Ops>
constexpr bool soft_ones_run(list<Ops...>) {
  return ((runs<projection<Ops>, C, stiff_denoiser> && runs<diffpir<Ops>, C, stiff_denoiser> &&
           runs<projection<Ops, momentum>, C, stiff_denoiser> && runs<dps<Ops, momentum>, C, steady_denoiser> &&
           lacks<dps<Ops>, C, steady_denoiser> && lacks<pigdm<Ops>, C, steady_denoiser> &&
           lacks<repaint<Ops>, C, stiff_denoiser> && lacks<ddrm<Ops>, C, stiff_denoiser>) &&
          ...);
}
static_assert(soft_ones_run<blurring>(measurements{}) && soft_ones_run<masking>(measurements{}));

// Without a score nothing does.
static_assert(lacks<projection<identity>, erasing, stiff_denoiser> &&
              lacks<diffpir<identity>, erasing, stiff_denoiser> &&
              lacks<dps<identity, momentum>, erasing, steady_denoiser>);

// A wrapper pulls back where what it wraps does, but for the percentile's.
template <class D>
constexpr bool pulls_back =
    DifferentiableDenoiser<D, tbb_backend, float> && DifferentiableDenoiser<D, opaque_backend, double>;
template <class D>
constexpr bool only_estimates = Denoiser<D, tbb_backend, float> && Denoiser<D, opaque_backend, double> &&
                                !DifferentiableDenoiser<D, tbb_backend, float>;
static_assert(pulls_back<static_thresholding<steady_denoiser>> &&
              pulls_back<classifier_free<steady_denoiser, steady_denoiser>>);
static_assert(only_estimates<static_thresholding<stiff_denoiser>> &&
              only_estimates<classifier_free<stiff_denoiser, steady_denoiser>> &&
              only_estimates<dynamic_thresholding<steady_denoiser>>);

}  // namespace
