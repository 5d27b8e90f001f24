// From the noise alone a blurred image cannot be had back: the blur would have to be undone.
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/two_stage.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/nn/plain_cnn.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/operator/identity.hpp>

#ifdef SOFTSCORE_TWIN
using family = softscore::identity;
#else
using family = softscore::gaussian_blur;
#endif

const softscore::corruption blurring{family{}, softscore::two_stage{}};
const softscore::epsilon_denoiser denoiser{softscore::plain_cnn{}, blurring};
