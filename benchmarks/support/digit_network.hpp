#pragma once

// The plain CNN with the weights of the golden file and a wide one, a training step and an evaluation of either, and
// what a peer compares them by.
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <softscore/backend/tbb.hpp>
#include <softscore/io/safetensors.hpp>
#include <softscore/nn/plain_cnn.hpp>
#include <softscore/optim/adam.hpp>

#include "harness.hpp"

namespace bench {

using namespace softscore;

inline plain_cnn golden_network() {
  const safetensors_file file{BENCH_WEIGHTS};
  plain_cnn net;
  std::vector<float> values(net.parameter_count());
  for (const parameter& p : net.layout())
    file.tensor_into<float>("param/" + p.name, p.sizes, std::span{values}.subspan(p.offset, p.size()));
  net.set_parameters(values);
  return net;
}

/// 542,161 parameters, drawn from a seed.
inline plain_cnn wide_network() {
  plain_cnn net{{16, 32, 64, 32, 16}};
  net.initialize(1);
  return net;
}

/// Forward, mean squared error, backward and Adam on one batch.
class training_step {
 public:
  training_step(std::size_t threads, std::size_t images, plain_cnn network)
      : be{threads},
        net{std::move(network)},
        batch_{images, 1, 28, 28},
        x{normal_numbers(batch_.size(), 1)},
        target{normal_numbers(batch_.size(), 2)},
        flat_{1, 1, 1, net.parameter_count()},
        theta_{be.make<float>(flat_)},
        gradients_{be.make<float>(flat_)},
        m_{be.make<float>(flat_)},
        v_{be.make<float>(flat_)},
        x_{be.make<float>(batch_)},
        out_{be.make<float>(batch_)},
        dout_{be.make<float>(batch_)},
        target_{be.make<float>(batch_)},
        losses_(images),
        ws_{net.workspace<float>(be, batch_)} {
    for (std::size_t n = 0; n < images; ++n)
      times.push_back({(static_cast<double>(n) + 0.5) / static_cast<double>(images)});
    be.upload(net.parameters().data(), theta_.view());
    be.upload(x.data(), x_.view());
    be.upload(target.data(), target_.view());
  }

  void forward() {
    net.forward<tbb_backend, float>(be, theta_.view(),
                                    per_image<diffusion_time>{std::span<const diffusion_time>{times}}, x_.view(),
                                    out_.view(), ws_);
  }
  /// The mean squared error; its gradient is propagated.
  double backward() {
    const auto size = static_cast<double>(batch_.size());
    be.combine(dout_.view(), term{1.0, out_.view()}, term{-1.0, target_.view()});
    be.dot(dout_.view(), dout_.view(), losses_.data());
    be.combine(dout_.view(), term{2 / size, dout_.view()});
    net.backward<tbb_backend, float>(be, theta_.view(), dout_.view(), {}, gradients_.view(), ws_);
    double sum = 0;
    for (const double loss : losses_) sum += loss;
    return sum / size;
  }
  void update() {
    adam{}.step<tbb_backend, float>(be, ++count_, theta_.view(), m_.view(), v_.view(), gradients_.view());
  }

  std::vector<float> output() { return values(out_); }
  std::vector<float> gradients() { return values(gradients_); }

  tbb_backend be;
  plain_cnn net;

 private:
  std::vector<float> values(array_of<tbb_backend, float>& array) {
    std::vector<float> host(array.view().size());
    be.download(array.view(), host.data());
    return host;
  }

  shape batch_;

 public:
  std::vector<float> x, target;
  std::vector<diffusion_time> times;

 private:
  shape flat_;
  array_of<tbb_backend, float> theta_, gradients_, m_, v_, x_, out_, dout_, target_;
  std::vector<double> losses_;
  plain_cnn::memory<tbb_backend, float> ws_;
  std::uint64_t count_{};
};

inline std::vector<float> numbers_of(const std::vector<diffusion_time>& times) {
  std::vector<float> t;
  for (const diffusion_time time : times) t.push_back(static_cast<float>(time.value));
  return t;
}

/// The network with its own weights, as in sampling.
class evaluation {
 public:
  static constexpr double time = 0.4;

  evaluation(std::size_t threads, std::size_t images, plain_cnn network)
      : x{normal_numbers(images * network.image().size(), 1)},
        be_{threads},
        net_{std::move(network)},
        batch_{net_.image().with_images(images)},
        x_{be_.make<float>(batch_)},
        out_{be_.make<float>(batch_)},
        ws_{net_.workspace<float>(be_, batch_)} {
    be_.upload(x.data(), x_.view());
  }

  void operator()() { net_.evaluate<tbb_backend, float>(be_, diffusion_time{time}, x_.view(), out_.view(), ws_); }
  std::vector<float> output() {
    std::vector<float> host(batch_.size());
    be_.download(out_.view(), host.data());
    return host;
  }

  std::vector<float> x;

 private:
  tbb_backend be_;
  plain_cnn net_;
  shape batch_;
  array_of<tbb_backend, float> x_, out_;
  plain_cnn::memory<tbb_backend, float> ws_;
};

/// What a peer compares: a step's input, output, loss and gradients, and an evaluation of the same input at one time.
/// `weights`, if any, are handed over too.
inline void write_answer(const std::string& file, const plain_cnn& network, std::span<const float> weights = {}) {
  constexpr std::size_t images = 128;
  const std::vector<std::size_t> all{images, 1, 28, 28};
  training_step step{cores(), images, network};
  step.forward();
  const std::vector<float> losses{static_cast<float>(step.backward())};
  evaluation forward{cores(), images, network};
  forward();
  const auto t = numbers_of(step.times), out = step.output(), gradients = step.gradients(),
             evaluated = forward.output();
  std::vector<named_tensor> tensors{{"x", all, step.x},           {"t", {images}, t},
                                    {"target", all, step.target}, {"ours/output", all, out},
                                    {"ours/loss", {1}, losses},   {"ours/evaluated", all, evaluated}};
  for (const parameter& p : step.net.layout()) {
    const auto of = [&](std::span<const float> values) { return values.subspan(p.offset, p.size()); };
    tensors.emplace_back("ours/grad/" + p.name, p.sizes, of(gradients));
    if (!weights.empty()) tensors.emplace_back("param/" + p.name, p.sizes, of(weights));
  }
  write_safetensors(file, tensors);
}

/// Times a training step of 128 images, and of `network()` anew each time.
template <class Network>
void add_training_step(const std::string& name, std::size_t threads, Network network) {
  add(name, [=] {
    return [step = std::make_shared<training_step>(threads, 128, network())] {
      step->forward();
      benchmark::DoNotOptimize(step->backward());
      step->update();
    };
  });
}

/// Times an evaluation.
template <class Network>
void add_evaluation(const std::string& name, std::size_t threads, std::size_t images, Network network) {
  add(name, [=] { return [e = std::make_shared<evaluation>(threads, images, network())] { (*e)(); }; });
}

}  // namespace bench
