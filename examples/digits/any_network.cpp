#include "any_network.hpp"

#include <utility>

#include <softscore/denoiser/network_time.hpp>
#include <softscore/nn/plain_cnn.hpp>
#include <softscore/nn/unet.hpp>

namespace digits {

using softscore::shape;
using softscore::tbb_backend;

struct any_network::scratch {
  virtual ~scratch() = default;
  virtual std::string describe() const = 0;
};

struct any_network::kind {
  virtual ~kind() = default;
  virtual std::unique_ptr<kind> copy() const = 0;
  virtual softscore::parameter_store& store() = 0;
  virtual const shape& image() const = 0;
  virtual std::unique_ptr<scratch> workspace(tbb_backend& be, const shape& most) const = 0;
  virtual void evaluate(tbb_backend& be, times t, images x, result out, scratch& ws) const = 0;
  virtual void forward(tbb_backend& be, images parameters, times t, images x, result out, scratch& ws) const = 0;
  virtual void backward(tbb_backend& be, images parameters, images dout, result dx, result gradients,
                        scratch& ws) const = 0;
  virtual void pullback(tbb_backend& be, images v, result out, scratch& ws) const = 0;
};

namespace {

template <class Net>
struct scratch_of final : any_network::scratch {
  softscore::network_workspace_of<Net, tbb_backend, float> memory;
  std::vector<softscore::time_type_of<Net>> of_network;  // the times on the network's own scale

  scratch_of(tbb_backend& be, const Net& net, const shape& most)
      : memory{net.template workspace<float>(be, most)}, of_network(most.images) {}
  std::string describe() const override { return memory.describe(); }
};

template <class Net>
struct kind_of final : any_network::kind {
  using images = any_network::images;
  using result = any_network::result;
  using times = any_network::times;
  using scratch = any_network::scratch;

  Net net;

  explicit kind_of(Net made) : net{std::move(made)} {}
  std::unique_ptr<kind> copy() const override { return std::make_unique<kind_of>(net); }
  softscore::parameter_store& store() override { return net; }
  const shape& image() const override { return net.image(); }
  std::unique_ptr<scratch> workspace(tbb_backend& be, const shape& most) const override {
    return std::make_unique<scratch_of<Net>>(be, net, most);
  }

  static scratch_of<Net>& own(scratch& ws) { return static_cast<scratch_of<Net>&>(ws); }
  // Times are never on a scale that only a corruption gives.
  auto on_own_scale(times t, std::size_t count, scratch& ws) const {
    return softscore::network_times(net, 0, t, count, own(ws).of_network);
  }
  void evaluate(tbb_backend& be, times t, images x, result out, scratch& ws) const override {
    net.evaluate(be, on_own_scale(t, x.extent().images, ws), x, out, own(ws).memory);
  }
  void forward(tbb_backend& be, images parameters, times t, images x, result out, scratch& ws) const override {
    net.forward(be, parameters, on_own_scale(t, x.extent().images, ws), x, out, own(ws).memory);
  }
  void backward(tbb_backend& be, images parameters, images dout, result dx, result gradients,
                scratch& ws) const override {
    net.backward(be, parameters, dout, dx, gradients, own(ws).memory);
  }
  void pullback(tbb_backend& be, images v, result out, scratch& ws) const override {
    net.pullback(be, v, out, own(ws).memory);
  }
};

using unet = softscore::unet<softscore::step_index>;

// A small U-Net like those of diffusers: one residual block per level, and attention only at the lowest level.
softscore::unet_config unet_of(const network_choice& choice, const shape& image) {
  const std::size_t levels = choice.widths.size();
  softscore::unet_config c;
  c.in_channels = c.out_channels = image.channels;
  c.height = image.height;
  c.width = image.width;
  c.block_out_channels = choice.widths;
  c.down_blocks.assign(levels, softscore::unet_block::plain);
  c.up_blocks.assign(levels, softscore::unet_block::plain);
  c.down_blocks.back() = c.up_blocks.front() = softscore::unet_block::attention;
  c.layers_per_block = 1;
  c.norm_num_groups = 8;
  c.recipe = softscore::unet_recipe::ddpm;
  return c;
}

std::unique_ptr<any_network::kind> made(const network_choice& choice, const shape& image) {
  if (!choice.unet) return std::make_unique<kind_of<softscore::plain_cnn>>(softscore::plain_cnn{choice.widths, image});
  unet net{unet_of(choice, image)};
  static_cast<void>(net.output(image.with_images(1)));  // throws for sides that its levels do not divide
  return std::make_unique<kind_of<unet>>(std::move(net));
}

}  // namespace

any_network::memory::memory(std::unique_ptr<scratch> made) : made_{std::move(made)} {}
any_network::memory::memory(memory&&) noexcept = default;
any_network::memory& any_network::memory::operator=(memory&&) noexcept = default;
any_network::memory::~memory() = default;
std::string any_network::memory::describe() const { return made_->describe(); }

any_network::any_network(const network_choice& choice, const shape& image) : kind_{made(choice, image)} {}
any_network::any_network(const any_network& other) : kind_{other.kind_->copy()} {}
any_network::any_network(any_network&&) noexcept = default;
any_network& any_network::operator=(const any_network& other) {
  kind_ = other.kind_->copy();
  return *this;
}
any_network& any_network::operator=(any_network&&) noexcept = default;
any_network::~any_network() = default;

std::size_t any_network::parameters_of_unet(const network_choice& choice, const shape& image) {
  return unet::layout_of(unet_of(choice, image)).count();
}

const shape& any_network::image() const { return kind_->image(); }
const softscore::parameter_store& any_network::store() const { return kind_->store(); }
softscore::parameter_store& any_network::store() { return kind_->store(); }
any_network::memory any_network::make_memory(tbb_backend& be, const shape& most) const {
  return memory{kind_->workspace(be, most)};
}
void any_network::evaluate(tbb_backend& be, times t, images x, result out, memory& ws) const {
  kind_->evaluate(be, t, x, out, *ws.made_);
}
void any_network::forward(tbb_backend& be, images parameters, times t, images x, result out, memory& ws) const {
  kind_->forward(be, parameters, t, x, out, *ws.made_);
}
void any_network::backward(tbb_backend& be, images parameters, images dout, result dx, result gradients,
                           memory& ws) const {
  kind_->backward(be, parameters, dout, dx, gradients, *ws.made_);
}
void any_network::pullback(tbb_backend& be, images v, result out, memory& ws) const {
  kind_->pullback(be, v, out, *ws.made_);
}

}  // namespace digits
