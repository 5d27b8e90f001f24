// The layer of the tutorial works on every backend, alone and between others.
#include "catch.hpp"

#include <softscore/backend/serial.hpp>
#include <softscore/nn/activate.hpp>
#include <softscore/nn/conv2d.hpp>
#include <softscore/nn/residual.hpp>
#include <softscore/nn/sequential.hpp>

#include "../../examples/docs/channel_gate.hpp"
#include "layer_agreement.hpp"

TEST_CASE("the channel gate of the tutorial is a layer on every backend", "[nn][backend]") {
  using namespace softscore;
  using gates::channel_gate;
  agrees_on_every_backend("channel_gate", channel_gate{}, {3, 6, 5, 7});
  agrees_on_every_backend("between others",
                          sequential{conv2d{16}, channel_gate{}, activate{activation::silu},
                                     residual{sequential{conv2d{16}, channel_gate{}}}, conv2d{3}},
                          {2, 3, 5, 7});
}
