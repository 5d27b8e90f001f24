// Training turns a gradient in the estimate into one in the output.
#include <softscore/backend/serial.hpp>

#include "support/learn.hpp"

struct one_way : softscore::residual_denoiser<softscore::plain_cnn> {
  using residual_denoiser::residual_denoiser;
#ifndef SOFTSCORE_TWIN
  void to_output() const;
#endif
};

one_way denoiser{softscore::plain_cnn{}};

void learn(softscore::serial_backend& be, const softscore::data_set& data) {
  train(be, denoiser, noising, softscore::naive_loss{}, data, {});
}
