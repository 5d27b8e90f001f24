// Your own layer: its gradients are checked with one call, and a network that contains it runs on two backends.
#include <cmath>
#include <iostream>
#include <string>
#include <type_traits>
#include <vector>

#include <softscore/backend/serial.hpp>
#include <softscore/backend/tbb.hpp>
#include <softscore/nn/activate.hpp>
#include <softscore/nn/check_gradients.hpp>
#include <softscore/nn/conv2d.hpp>
#include <softscore/nn/layered_network.hpp>
#include <softscore/nn/residual.hpp>
#include <softscore/nn/sequential.hpp>
#include <softscore/nn/time_embedding.hpp>

#include "channel_gate.hpp"

using gates::channel_gate;
using softscore::activate, softscore::activation, softscore::conv2d, softscore::residual, softscore::sequential;

// begin network
using gated_body = sequential<conv2d, activate, residual<sequential<conv2d, channel_gate>>, conv2d>;

// phi(x, t) for images of any size. Here it does not depend on the time.
class gated_network : public softscore::layered_network<gated_body, softscore::time_embedding> {
 public:
  using any_size = std::true_type;  // no layer fixes a size

  explicit gated_network(std::size_t width, const softscore::shape& image)
      : layered_network{gated_body{conv2d{width}, activate{activation::silu},
                                   residual{sequential{conv2d{width}, channel_gate{}}}, conv2d{image.channels}},
                        softscore::time_embedding{width}, image, "body", "time"} {}
};
static_assert(softscore::Network<gated_network, softscore::serial_backend, float>);
// end network

// begin minimal
// y = -x.
struct negate : softscore::stateless_layer {
  softscore::shape place(softscore::placement&, const std::string&, const softscore::shape& in) { return in; }
  softscore::shape output(const softscore::shape& in) const { return in; }

  template <class Be, class T>
  void forward(Be& be, const softscore::pass<Be, T>&, softscore::in_of<Be, T> x, softscore::out_of<Be, T> y,
               softscore::no_memory<Be, T>&) const {
    be.combine(y, softscore::term_of<Be, T>{-1.0, x});
  }
  template <class Be, class T>
  void backward(Be& be, const softscore::pass<Be, T>&, softscore::in_of<Be, T>, softscore::in_of<Be, T> dy,
                softscore::out_of<Be, T> dx, softscore::no_memory<Be, T>&) const {
    if (!dx.empty()) be.combine(dx, softscore::term_of<Be, T>{-1.0, dy});
  }
};
static_assert(softscore::Layer<negate, softscore::archetype_backend, float>);
// end minimal

namespace {

// The network's output for one batch.
template <class Be>
std::vector<float> evaluated(Be& backend, const gated_network& network, const std::vector<float>& pixels) {
  const softscore::shape images{2, 3, 9, 7};
  auto x = backend.template make<float>(images), out = backend.template make<float>(images);
  auto workspace = network.workspace<float>(backend, images);
  backend.upload(pixels.data(), x.view());
  network.evaluate(backend, softscore::diffusion_time{0.5}, x.view(), out.view(), workspace);
  std::vector<float> result(images.size());
  backend.download(softscore::view_of<Be, const float>{out.view()}, result.data());
  return result;
}

}  // namespace

int main() {
  // begin check
  const softscore::gradient_report report = softscore::check_gradients(channel_gate{}, {2, 3, 5, 7});
  std::cout << report;
  if (!report.holds()) return 1;
  // end check
  if (!softscore::check_gradients(sequential{conv2d{4}, negate{}}, {2, 3, 5, 7}).holds()) return 1;

  gated_network network{16, {1, 3, 8, 8}};
  network.initialize(1);
  // begin whole
  if (!softscore::check_gradients(network, softscore::diffusion_time{0.5}, {2, 3, 5, 7}).holds()) return 1;
  // end whole

  std::vector<float> pixels(2 * 3 * 9 * 7);
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = std::sin(static_cast<float>(i));
  softscore::serial_backend serial;
  softscore::tbb_backend threads;
  const auto plain = evaluated(serial, network, pixels), fast = evaluated(threads, network, pixels);
  for (std::size_t i = 0; i < plain.size(); ++i)
    if (!(std::abs(plain[i] - fast[i]) < 1e-5f)) return 1;
}
