// The corruption comes before the denoiser in sample, too.
#include <softscore/backend/serial.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/nn/plain_cnn.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/sampler/euler.hpp>
#include <softscore/sampler/sample.hpp>

const softscore::corruption noising{softscore::identity{}, softscore::variance_exploding{}};
const softscore::residual_denoiser residual{softscore::plain_cnn{}};

void run() {
  using namespace softscore;
  serial_backend be;
#ifdef SOFTSCORE_TWIN
  sample(be, euler{}, noising, residual, uniform_grid(10), {.images = 16});
#else
  sample(be, euler{}, residual, noising, uniform_grid(10), {.images = 16});
#endif
}
