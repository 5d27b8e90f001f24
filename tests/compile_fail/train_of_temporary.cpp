// What a temporary has learned is lost with it.
#include <softscore/backend/serial.hpp>

#include "support/learn.hpp"

void learn(softscore::serial_backend& be, const softscore::data_set& data) {
#ifdef SOFTSCORE_TWIN
  train(be, residual, noising, softscore::naive_loss{}, data, {});
#else
  train(be, softscore::residual_denoiser{softscore::plain_cnn{}}, noising, softscore::naive_loss{}, data, {});
#endif
}
