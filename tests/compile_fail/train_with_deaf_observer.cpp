// An observer of training is called with its progress.
#include <softscore/backend/serial.hpp>

#include "support/learn.hpp"

void learn(softscore::serial_backend& be, const softscore::data_set& data) {
#ifdef SOFTSCORE_TWIN
  train(be, residual, noising, softscore::naive_loss{}, data, {}, [](const softscore::training_progress&) {});
#else
  train(be, residual, noising, softscore::naive_loss{}, data, {}, [](int) {});
#endif
}
