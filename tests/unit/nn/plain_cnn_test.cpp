#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <softscore/backend/serial.hpp>
#include <softscore/backend/tbb.hpp>
#include <softscore/nn/plain_cnn.hpp>

#include "heap.hpp"
#include "slope.hpp"

using namespace softscore;

static_assert(Network<plain_cnn, serial_backend, float> && Network<plain_cnn, serial_backend, double>);
static_assert(Network<plain_cnn, tbb_backend, float> && Network<plain_cnn, tbb_backend, double>);

namespace {

// A network with its parameters and a batch in the backend; norms are moved off 1 and 0, which would hide a swap.
template <class Be, class T>
struct trial {
  Be& be;
  plain_cnn net;
  shape extent;
  std::vector<diffusion_time> times;
  array_of<Be, T> params, x, dout, out, dx, gradients;
  plain_cnn::memory<Be, T> ws;

  trial(Be& backend, const std::vector<std::size_t>& widths, const shape& s, std::size_t most_images,
        std::size_t outputs = 1)
      : be{backend},
        net{widths, s, outputs},
        extent{s},
        params{be.template make<T>({1, 1, 1, net.parameter_count()})},
        x{be.template make<T>(s)},
        dout{be.template make<T>(output_extent(net, s))},
        out{be.template make<T>(output_extent(net, s))},
        dx{be.template make<T>(s)},
        gradients{be.template make<T>({1, 1, 1, net.parameter_count()})},
        ws{net.template workspace<T>(be, s.with_images(most_images))} {
    net.initialize(7);
    auto changing = net.mutable_parameters();
    const auto moves = normal_numbers(net.parameter_count(), 11);
    for (const parameter& p : net.layout())
      if (p.spread == 0)
        for (std::size_t i = 0; i < p.size(); ++i)
          changing[p.offset + i] += static_cast<float>(0.1 * moves[p.offset + i]);
    set(params, {net.parameters().begin(), net.parameters().end()});
    set(x, normal_numbers(s.size(), 12));
    set(dout, normal_numbers(dout.view().size(), 13));
    for (std::size_t n = 0; n < s.images; ++n)
      times.push_back({(static_cast<double>(n) + 0.3) / static_cast<double>(s.images)});
  }

  per_image<diffusion_time> each_time() const {
    return per_image<diffusion_time>{std::span<const diffusion_time>{times}};
  }
  void set(array_of<Be, T>& to, const std::vector<double>& values) {
    const std::vector<T> converted(values.begin(), values.end());
    be.upload(converted.data(), to.view());
  }
  std::vector<double> get(array_of<Be, T>& from) {
    std::vector<T> host(from.view().size());
    be.download(from.view(), host.data());
    return {host.begin(), host.end()};
  }
  double loss() {
    net.forward(be, params.view(), each_time(), x.view(), out.view(), ws);
    const auto o = get(out), d = get(dout);
    double sum = 0;
    for (std::size_t i = 0; i < o.size(); ++i) sum += o[i] * d[i];
    return sum;
  }
  void backward() { net.backward(be, params.view(), dout.view(), dx.view(), gradients.view(), ws); }
};

}  // namespace

// The network of Knottenbelt n.d., Section 1a; with two outputs a channel that of Nichol and Dhariwal 2021.
TEST_CASE("the plain CNN has the published numbers of parameters and PyTorch's names", "[nn]") {
  CHECK(plain_cnn{}.parameter_count() == 291217);
  CHECK(plain_cnn{{16, 32, 64, 32, 16}}.parameter_count() == 542161);
  const plain_cnn net;
  std::set<std::string> names;
  std::size_t offset = 0;
  for (const parameter& p : net.layout()) {
    CHECK(p.offset == offset);
    offset += p.size();
    names.insert(p.name);
  }
  CHECK(offset == net.parameter_count());
  CHECK(names.size() == 4 * 4 + 2 + 4 * 2);
  CHECK(net.layout().at("blocks.1.conv.weight").sizes == std::vector<std::size_t>{32, 16, 7, 7});
  CHECK(net.layout().at("blocks.3.norm.bias").sizes == std::vector<std::size_t>{16, 28, 28});
  CHECK(net.layout().at("time.6.weight").sizes == std::vector<std::size_t>{16, 128});
  CHECK(net.layout().at("final.weight").sizes == std::vector<std::size_t>{1, 16, 3, 3});
  CHECK_THROWS_AS(net.layout().at("blocks.4.conv.weight"), error);
  // Twice the channels: the last layer's weights and biases double, and all that lies before them stays where it was.
  const plain_cnn twice{{16, 32, 32, 16}, {1, 1, 28, 28}, 2};
  CHECK(twice.parameter_count() == 291217 + 16 * 9 + 1);
  CHECK(twice.output_channels() == 2);
  CHECK(twice.layout().at("final.weight").sizes == std::vector<std::size_t>{2, 16, 3, 3});
  CHECK(twice.layout().at("final.weight").offset == net.layout().at("final.weight").offset);
}

TEST_CASE("initial weights follow PyTorch's distribution and the seed alone", "[nn]") {
  plain_cnn net;
  net.initialize(3);
  const std::vector<float> first(net.parameters().begin(), net.parameters().end());
  for (const parameter& p : net.layout()) {
    double sum = 0, squares = 0, most = 0;
    for (std::size_t i = 0; i < p.size(); ++i) {
      const auto v = static_cast<double>(first[p.offset + i]) - p.start;
      sum += v;
      squares += v * v;
      most = std::max(most, std::abs(v));
    }
    const double n = static_cast<double>(p.size());
    CAPTURE(p.name);
    CHECK(most <= p.spread * (1 + 1e-6));
    // Mean 0 and variance spread^2 / 3, each within five of its standard deviations.
    CHECK(std::abs(sum / n) <= 5 * p.spread / std::sqrt(3 * n));
    CHECK(std::abs(squares / n - p.spread * p.spread / 3) <= 5 * p.spread * p.spread * std::sqrt(4.0 / 45 / n));
  }
  CHECK(net.layout().at("blocks.1.conv.weight").spread == Approx(1 / 28.0));  // 1 / sqrt(16 * 49)
  CHECK(net.layout().at("blocks.1.conv.bias").spread == Approx(1 / 28.0));
  CHECK(first[net.layout().at("blocks.2.norm.weight").offset] == 1);
  net.initialize(4);
  CHECK(!std::equal(first.begin(), first.end(), net.parameters().begin()));
  net.initialize(3);
  CHECK(std::equal(first.begin(), first.end(), net.parameters().begin()));
}

TEST_CASE("the time features are those of the equation", "[nn]") {
  const auto features = time_features({0.25});
  CHECK(features[0] == 0);
  CHECK(features[16] == 0);
  CHECK(features[1] == Approx(1));    // sin(2 pi / 4)
  CHECK(features[17] == Approx(-1));  // cos(2 pi / 4) - 1
  CHECK(features[3] == Approx(std::sin(2 * 3.14159265358979323846 * 2.25 * 0.25)));
}

TEMPLATE_TEST_CASE("the gradients of the plain CNN are its slopes", "[nn]", serial_backend, tbb_backend) {
  TestType be;
  // High, wide and odd images, one channel and three, one image and many, one block and several, an output of the
  // image's channels and of twice as many.
  struct net_case {
    std::vector<std::size_t> widths;
    shape extent;
    std::size_t outputs{1};
  };
  for (const net_case& c :
       {net_case{{4, 3}, {2, 1, 9, 7}}, net_case{{2}, {1, 3, 5, 8}}, net_case{{3, 2, 4}, {17, 1, 4, 4}},
        net_case{{3, 2}, {2, 1, 5, 6}, 2}, net_case{{2}, {3, 3, 4, 5}, 2}}) {
    CAPTURE(c.extent, c.outputs);
    trial<TestType, double> at{be, c.widths, c.extent, c.extent.images + 1, c.outputs};
    at.loss();
    at.backward();
    const auto start = at.get(at.params), gradient = at.get(at.gradients), point = at.get(at.x), dx = at.get(at.dx);
    CHECK(slope_error(
              [&](const std::vector<double>& x) {
                at.set(at.x, x);
                return at.loss();
              },
              point, dx) < 1e-7);
    at.set(at.x, point);
    for (const parameter& p : at.net.layout()) {
      const auto from = static_cast<std::ptrdiff_t>(p.offset), to = static_cast<std::ptrdiff_t>(p.offset + p.size());
      const std::vector<double> values(start.begin() + from, start.begin() + to);
      const std::vector<double> slopes(gradient.begin() + from, gradient.begin() + to);
      const auto with = [&](const std::vector<double>& moved) {
        auto all = start;
        std::copy(moved.begin(), moved.end(), all.begin() + from);
        at.set(at.params, all);
        return at.loss();
      };
      CAPTURE(p.name);
      CHECK(slope_error(with, values, slopes) < 1e-7);
    }
  }
}

TEMPLATE_TEST_CASE("an evaluation uses the network's own parameters and sees when they change", "[nn]", serial_backend,
                   tbb_backend) {
  TestType be;
  trial<TestType, float> at{be, {16, 4}, {3, 1, 8, 6}, 3};
  at.loss();
  const auto trained = at.get(at.out);
  at.net.evaluate(be, at.each_time(), at.x.view(), at.out.view(), at.ws);
  CHECK(at.get(at.out) == trained);
  const auto before = at.net.stamp();
  const float kept = at.net.parameters()[0];
  at.net.mutable_parameters()[0] = kept + 1;
  CHECK(at.net.stamp() != before);
  at.net.evaluate(be, at.each_time(), at.x.view(), at.out.view(), at.ws);
  CHECK(at.get(at.out) != trained);
  at.net.mutable_parameters()[0] = kept;

  // One time for all images is that time for each.
  const diffusion_time half{0.5};
  at.net.evaluate(be, half, at.x.view(), at.out.view(), at.ws);
  const auto shared = at.get(at.out);
  std::fill(at.times.begin(), at.times.end(), half);
  at.net.evaluate(be, at.each_time(), at.x.view(), at.out.view(), at.ws);
  CHECK(at.get(at.out) == shared);

  // The pullback is the gradient in x of the training pass.
  at.net.pullback(be, at.dout.view(), at.dx.view(), at.ws);
  const auto pulled = at.get(at.dx);
  at.loss();
  at.backward();
  CHECK(at.get(at.dx) == pulled);

  // A smaller batch than the workspace's gives the same images.
  at.net.evaluate(be, half, at.x.view().images(1, 1), at.out.view().images(1, 1), at.ws);
  CHECK(at.get(at.out) == shared);
}

TEST_CASE("the plain CNN has the same bits for any number of threads", "[nn]") {
  const auto gradients_on = [](std::size_t threads) {
    tbb_backend be{threads};
    trial<tbb_backend, float> at{be, {16, 32, 16}, {37, 1, 28, 28}, 37};
    at.loss();
    at.backward();
    return std::vector{at.get(at.out), at.get(at.dx), at.get(at.gradients)};
  };
  const auto one = gradients_on(1);
  CHECK(gradients_on(2) == one);
  CHECK(gradients_on(3) == one);
}

TEMPLATE_TEST_CASE("after its workspace is made, no pass of the plain CNN takes memory from the heap", "[nn]",
                   serial_backend, tbb_backend) {
  TestType be;
  trial<TestType, float> at{be, {16, 32, 5}, {5, 1, 28, 28}, 5};
  at.loss();  // the threads' own beginnings
  const auto times = at.each_time();
  CHECK(heap::allocations([&] {
          at.net.evaluate(be, times, at.x.view(), at.out.view(), at.ws);
          at.net.evaluate(be, diffusion_time{0.5}, at.x.view(), at.out.view(), at.ws);
          at.net.pullback(be, at.dout.view(), at.dx.view(), at.ws);
          at.net.forward(be, at.params.view(), times, at.x.view(), at.out.view(), at.ws);
          at.net.backward(be, at.params.view(), at.dout.view(), at.dx.view(), at.gradients.view(), at.ws);
        }) == 0);
}

TEST_CASE("the plain CNN says how its convolutions are computed", "[nn]") {
  const plain_cnn net;
  serial_backend serial;
  tbb_backend tbb;
  CHECK(net.workspace<float>(serial, {1, 1, 28, 28}).describe().empty());
  CHECK(net.workspace<double>(tbb, {1, 1, 28, 28}).describe() == "convolutions: 5 by plain loops");
  // The first one reads one channel and the last one makes one; on any registers.
  for (const std::size_t images : {std::size_t{1}, std::size_t{100}})
    CHECK(net.workspace<float>(tbb, {images, 1, 28, 28}).describe() ==
          "convolutions: 2 by direct sum over blocks of channels, 3 by transform of length 32");
}

TEST_CASE("the plain CNN refuses what it cannot be or map", "[nn]") {
  CHECK_THROWS_AS(plain_cnn{{}}, error);
  CHECK_THROWS_AS((plain_cnn{{16, 0}}), error);
  CHECK_THROWS_AS((plain_cnn{{16}, {1, 1, 28, 28}, 0}), error);
  CHECK_THROWS_AS((plain_cnn{{16}, {1, 1, 0, 28}}), error);
  plain_cnn net{{2}, {1, 1, 4, 4}};
  CHECK_THROWS_AS(net.set_parameters(std::vector<float>(3)), error);
  serial_backend be;
  CHECK_THROWS_AS(net.workspace<float>(be, {1, 1, 5, 4}), error);
  CHECK_THROWS_AS(net.workspace<float>(be, {0, 1, 4, 4}), error);
  auto ws = net.workspace<float>(be, {1, 1, 4, 4});
  auto x = be.make<float>({2, 1, 4, 4}), out = be.make<float>({2, 1, 4, 4});
  CHECK_THROWS_AS(net.evaluate(be, diffusion_time{0.5}, x.view(), out.view(), ws), error);
}
