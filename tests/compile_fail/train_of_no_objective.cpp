// A weight is only a part of an objective.
#include <softscore/backend/serial.hpp>
#include <softscore/objective/weighted_score.hpp>

#include "support/learn.hpp"

void learn(softscore::serial_backend& be, const softscore::data_set& data) {
#ifdef SOFTSCORE_TWIN
  train(be, residual, noising, softscore::weighted_score<softscore::snr_weight>{}, data, {});
#else
  train(be, residual, noising, softscore::snr_weight{}, data, {});
#endif
}
