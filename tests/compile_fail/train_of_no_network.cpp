// A network that cannot go backward cannot be trained.
#include <softscore/backend/serial.hpp>

#include "support/learn.hpp"

struct forward_only : softscore::plain_cnn {
#ifndef SOFTSCORE_TWIN
  void backward() const;
#endif
};

softscore::residual_denoiser<forward_only> once{forward_only()};

void learn(softscore::serial_backend& be, const softscore::data_set& data) {
  train(be, once, noising, softscore::naive_loss{}, data, {});
}
