// A weight by signal-to-noise ratio needs a signal that is a number times the image.
#include <softscore/backend/serial.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/simultaneous.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/nn/plain_cnn.hpp>
#include <softscore/objective/weighted_loss.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/train/trainer.hpp>

void learn(softscore::view<const float, softscore::host_space> images) {
  using namespace softscore;
  serial_backend be;
#ifdef SOFTSCORE_TWIN
  const corruption fading{scaling{}, simultaneous{}};
#else
  const corruption fading{gaussian_blur{}, simultaneous{}};
#endif
  residual_denoiser denoiser{plain_cnn{}};
  trainer{be, fading, denoiser, weighted_loss<min_snr_weight>{}, images, {}};
}
