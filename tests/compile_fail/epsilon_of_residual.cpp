// The loss on the noise trains a network that predicts the noise.
#include <softscore/backend/serial.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/linear_beta.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/nn/plain_cnn.hpp>
#include <softscore/objective/epsilon_loss.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/train/trainer.hpp>

void learn(softscore::view<const float, softscore::host_space> images) {
  using namespace softscore;
  serial_backend be;
  const corruption noising{scaling{}, linear_beta{}};
#ifdef SOFTSCORE_TWIN
  epsilon_denoiser denoiser{plain_cnn{}, noising};
#else
  residual_denoiser denoiser{plain_cnn{}};
#endif
  trainer{be, noising, denoiser, epsilon_loss{}, images, {}};
}
