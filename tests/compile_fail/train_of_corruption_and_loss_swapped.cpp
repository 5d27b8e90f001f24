// The corruption comes before the objective.
#include <softscore/backend/serial.hpp>

#include "support/learn.hpp"

void learn(softscore::serial_backend& be, const softscore::data_set& data) {
#ifdef SOFTSCORE_TWIN
  train(be, residual, noising, softscore::naive_loss{}, data, {});
#else
  train(be, residual, softscore::naive_loss{}, noising, data, {});
#endif
}
