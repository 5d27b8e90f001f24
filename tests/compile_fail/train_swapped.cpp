// The denoiser, which training changes, comes before the corruption.
#include <softscore/backend/serial.hpp>

#include "support/learn.hpp"

void learn(softscore::serial_backend& be, const softscore::data_set& data) {
#ifdef SOFTSCORE_TWIN
  train(be, residual, noising, softscore::naive_loss{}, data, {});
#else
  train(be, noising, residual, softscore::naive_loss{}, data, {});
#endif
}
