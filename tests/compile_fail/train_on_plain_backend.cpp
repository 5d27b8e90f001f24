// The verbs of a backend are not enough for a network: its operations come with another header.
#ifdef SOFTSCORE_TWIN
#include <softscore/backend/serial.hpp>
#endif

#include "support/learn.hpp"

void learn(softscore::serial_backend& be, const softscore::data_set& data) {
  train(be, residual, noising, softscore::naive_loss{}, data, {});
}
