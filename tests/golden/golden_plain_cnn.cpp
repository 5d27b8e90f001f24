// Compares the plain CNN on each backend with numbers that PyTorch computed in float32: output, loss, every gradient,
// the time embedding, ten Adam steps. Takes any file with the tensors listed in tests/golden/README.md.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <softscore/io/safetensors.hpp>
#include <softscore/nn/plain_cnn.hpp>
#include <softscore/optim/adam.hpp>

#include "device_under_test.hpp"
#include "worse.hpp"

namespace {

using namespace softscore;

// Both sides compute in float32, whose unit roundoff is 6e-8, in another order. An output is the end of five sums of up
// to 3136 products, a weight gradient a sum over 3136 pixels and more; errors grow like the root of the length times a
// few layers: below 1e-5 and 1e-4 of the largest entry. Adam's first steps move a parameter by rate * sign(gradient),
// so where a gradient is near 0 the two may differ by a fraction of 10 * 2e-4.
constexpr double output_bound = 1e-5, gradient_bound = 1e-4, curve_bound = 1e-5, final_bound = 5e-5;

struct comparison {
  bool good = true;

  void report(const char* backend, const std::string& what, double error, double bound) {
    const bool holds = error <= bound;  // false for a NaN too
    std::printf("%-8s %-28s %10.3e  (at most %.0e)%s\n", backend, what.c_str(), error, bound, holds ? "" : "  FAILS");
    good = good && holds;
  }
};

double largest(std::span<const float> values) {
  double most = 0;
  for (const float v : values) most = std::max(most, std::abs(static_cast<double>(v)));
  return most;
}

// The largest difference; infinite where one side has a NaN.
double difference(std::span<const float> ours, std::span<const float> theirs) {
  require(ours.size() == theirs.size(), "a golden tensor's size", theirs.size(), "that of ours");
  double most = 0;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    most = worse(most, std::abs(static_cast<double>(ours[i]) - static_cast<double>(theirs[i])));
  }
  return most;
}

double relative(std::span<const float> ours, std::span<const float> theirs) {
  return difference(ours, theirs) / largest(theirs);
}

std::vector<std::size_t> widths_in(const safetensors_file& file) {
  std::vector<std::size_t> widths;
  std::istringstream text{file.metadata("widths")};
  for (std::string number; std::getline(text, number, ',');) {
    require(!number.empty() && number.size() <= 4 && number.find_first_not_of("0123456789") == std::string::npos,
            "the metadata 'widths'", file.metadata("widths"), "whole numbers with commas between them");
    widths.push_back(std::stoul(number));
  }
  return widths;
}

shape shape_of(const std::vector<std::size_t>& extent, std::size_t from) {
  require(extent.size() == from + 4, "the rank of x", extent.size(), "4, and 5 in the curve");
  return {extent[from], extent[from + 1], extent[from + 2], extent[from + 3]};
}

// The mean of (out - target)^2 and its gradient with respect to out.
double mean_square(std::span<const float> out, std::span<const float> target, std::vector<float>& gradient) {
  double sum = 0;
  const double size = static_cast<double>(out.size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    const double d = static_cast<double>(out[i]) - static_cast<double>(target[i]);
    sum += d * d;
    gradient[i] = static_cast<float>(2 * d / size);
  }
  return sum / size;
}

template <class Be>
void compare(const char* name, Be& be, const safetensors_file& file, comparison& result) {
  const shape batch = shape_of(file.extent("x"), 0);
  plain_cnn net{widths_in(file), batch};
  const std::size_t count = net.parameter_count();
  std::vector<float> values(count);
  for (const parameter& p : net.layout())
    file.tensor_into<float>("param/" + p.name, p.sizes, std::span{values}.subspan(p.offset, p.size()));
  net.set_parameters(values);

  const shape flat{1, 1, 1, count};
  auto theta = be.template make<float>(flat), gradients = be.template make<float>(flat);
  auto m = be.template make<float>(flat), v = be.template make<float>(flat);
  auto x = be.template make<float>(batch), out = be.template make<float>(batch);
  auto dout = be.template make<float>(batch), dx = be.template make<float>(batch);
  auto ws = net.template workspace<float>(be, batch);
  std::vector<float> host_out(batch.size()), host_dout(batch.size());
  be.upload(values.data(), theta.view());

  // Forward and backward on one batch; the gradient goes to `gradients` and `dx`.
  const auto pass = [&](std::span<const float> xs, std::span<const float> ts, std::span<const float> target) {
    std::vector<diffusion_time> times(batch.images);
    for (std::size_t n = 0; n < batch.images; ++n) times[n] = {static_cast<double>(ts[n])};
    be.upload(xs.data(), x.view());
    net.forward(be, theta.view(), per_image<diffusion_time>{std::span<const diffusion_time>{times}}, x.view(),
                out.view(), ws);
    be.download(out.view(), host_out.data());
    const double loss = mean_square(host_out, target, host_dout);
    be.upload(host_dout.data(), dout.view());
    net.backward(be, theta.view(), dout.view(), dx.view(), gradients.view(), ws);
    return loss;
  };

  const auto times = file.tensor<float>("t", {batch.images}), target = file.tensor<float>("target", file.extent("x"));
  const double loss = pass(file.tensor<float>("x"), times, target);
  result.report(name, "output", relative(host_out, file.tensor<float>("output")), output_bound);
  const double their_loss = static_cast<double>(file.tensor<float>("loss", {1})[0]);
  result.report(name, "loss", std::abs(loss - their_loss) / their_loss, output_bound);
  std::vector<float> host_gradients(count), host_dx(batch.size());
  be.download(gradients.view(), host_gradients.data());
  be.download(dx.view(), host_dx.data());
  for (const parameter& p : net.layout())
    result.report(name, "grad " + p.name,
                  relative(std::span{host_gradients}.subspan(p.offset, p.size()), file.tensor<float>("grad/" + p.name)),
                  gradient_bound);
  result.report(name, "grad x", relative(host_dx, file.tensor<float>("grad_x")), gradient_bound);

  planning<Be, float> with{be, batch.images};
  auto embedding = net.embedding().memory(with);
  std::vector<diffusion_time> each(batch.images);
  for (std::size_t n = 0; n < batch.images; ++n) each[n] = {static_cast<double>(times[n])};
  const auto embedded = net.embedding().template forward<Be, float>(
      be, theta.view(), network_input{per_image<diffusion_time>{std::span<const diffusion_time>{each}}}, batch.images,
      embedding);
  std::vector<float> host_embedded(embedded.size());
  be.download(embedded, host_embedded.data());
  result.report(name, "embedding", relative(host_embedded, file.tensor<float>("embedding")), output_bound);

  const auto their_curve = file.tensor<float>("curve/loss");
  const std::size_t steps = their_curve.size();
  require(shape_of(file.extent("curve/x"), 1) == batch, "the shape of 'curve/x'", shape_of(file.extent("curve/x"), 1),
          "that of 'x'");
  const auto xs = file.tensor<float>("curve/x"), targets = file.tensor<float>("curve/target", file.extent("curve/x"));
  const auto ts = file.tensor<float>("curve/t", {steps, batch.images});
  std::vector<float> curve;
  const adam optimizer{};
  for (std::size_t k = 0; k < steps; ++k) {
    const auto part = [&](const std::vector<float>& all) {
      return std::span{all}.subspan(k * (all.size() / steps), all.size() / steps);
    };
    curve.push_back(static_cast<float>(pass(part(xs), part(ts), part(targets))));
    optimizer.step<Be, float>(be, k + 1, theta.view(), m.view(), v.view(), gradients.view());
  }
  result.report(name, "curve of ten Adam steps", relative(curve, their_curve), curve_bound);
  std::vector<float> host_final(count);
  be.download(theta.view(), host_final.data());
  double final_difference = 0;
  for (const parameter& p : net.layout()) {
    const double d =
        difference(std::span{host_final}.subspan(p.offset, p.size()), file.tensor<float>("final/" + p.name));
    final_difference = worse(final_difference, d);
  }
  result.report(name, "final parameters (absolute)", final_difference, final_bound);
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 2) {
    std::fprintf(stderr, "usage: golden_plain_cnn FILE.safetensors\n");
    return 2;
  }
  const softscore::safetensors_file file{argv[1]};
  comparison result;
#if defined(__CUDACC__)
  try {
    const softscore::cuda_device probe{0};
  } catch (const softscore::error& reason) {
    std::printf("skipped: no device (%s)\n", reason.what());
    return 77;
  }
#else
  softscore::serial_backend serial;
  compare("serial", serial, file, result);
  softscore::tbb_backend tbb;
  compare("tbb", tbb, file, result);
#endif
  device_under_test device;
  compare("device", device, file, result);
  return result.good ? 0 : 1;
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 2;
}
