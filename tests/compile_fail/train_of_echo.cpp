// A denoiser without a network has nothing to train.
#include <softscore/backend/serial.hpp>

#include "support/draw.hpp"
#include "support/learn.hpp"

echo fixed;

void learn(softscore::serial_backend& be, const softscore::data_set& data) {
#ifdef SOFTSCORE_TWIN
  train(be, residual, noising, softscore::naive_loss{}, data, {});
#else
  train(be, fixed, noising, softscore::naive_loss{}, data, {});
#endif
}
