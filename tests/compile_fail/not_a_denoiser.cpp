// A network is not yet a denoiser: a prediction has to say what its output stands for.
#include <softscore/backend/serial.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/two_stage.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/nn/plain_cnn.hpp>
#include <softscore/operator/gaussian_blur.hpp>

#include "support/draw.hpp"

#ifdef SOFTSCORE_TWIN
const softscore::residual_denoiser denoiser{softscore::plain_cnn{{4}, {1, 1, 4, 4}}};
#else
const softscore::plain_cnn denoiser{{4}, {1, 1, 4, 4}};
#endif

void run() { draw(idle{}, softscore::corruption{softscore::gaussian_blur{}, softscore::two_stage{}}, denoiser); }
