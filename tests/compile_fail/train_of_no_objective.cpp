// A weight is only a part of an objective.
#include <softscore/backend/serial.hpp>
#include <softscore/objective/weighted_loss.hpp>

#include "support/learn.hpp"

void learn(softscore::serial_backend& be, const softscore::data_set& data) {
#ifdef SOFTSCORE_TWIN
  train(be, residual, noising, softscore::weighted_loss<softscore::snr_weight>{}, data, {});
#else
  train(be, residual, noising, softscore::snr_weight{}, data, {});
#endif
}
