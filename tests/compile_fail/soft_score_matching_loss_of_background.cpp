// Soft score matching regards xi as standard normal noise, which a background is not.
#include <softscore/backend/serial.hpp>
#include <softscore/corruption/background_corruption.hpp>
#include <softscore/corruption/severity.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/nn/plain_cnn.hpp>
#include <softscore/objective/cold_loss.hpp>
#include <softscore/objective/soft_score_matching_loss.hpp>
#include <softscore/operator/fade.hpp>
#include <softscore/train/trainer.hpp>

#ifdef SOFTSCORE_TWIN
using objective = softscore::cold_loss;
#else
using objective = softscore::soft_score_matching_loss;
#endif

void learn(softscore::view<const float, softscore::host_space> images) {
  using namespace softscore;
  serial_backend be;
  clean_denoiser denoiser{plain_cnn{}};
  trainer{be, background_corruption{fade{}, severity{1.0}}, denoiser, objective{}, images, {}};
}
