// Draws with a small network on the serial backend, without any other library.
#include <cmath>
#include <span>
#include <vector>

#include <softscore/backend/serial.hpp>
#include <softscore/nn/plain_cnn.hpp>
#include <softscore/sampling.hpp>

int main() {
  using namespace softscore;
  serial_backend backend;
  const corruption noise{identity{}, variance_preserving{}};
  const residual_denoiser denoiser{plain_cnn{{2, 2}, {.channels = 1, .height = 8, .width = 8}}};
  std::vector<float> pixels(2 * 8 * 8);
  sample(backend, ddim{}, noise, denoiser, uniform_grid(2), std::span{pixels}, {.images = 2, .seed = 1});
  for (const float pixel : pixels)
    if (!std::isfinite(pixel)) return 1;
  return 0;
}
