// An operator knows nothing of time: it becomes a corruption by its schedule.
#include <softscore/backend/serial.hpp>

#include "support/learn.hpp"

void learn(softscore::serial_backend& be, const softscore::data_set& data) {
#ifdef SOFTSCORE_TWIN
  train(be, residual, noising, softscore::naive_loss{}, data, {});
#else
  train(be, residual, softscore::identity{}, softscore::naive_loss{}, data, {});
#endif
}
