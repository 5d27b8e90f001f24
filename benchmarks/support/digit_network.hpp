#pragma once

// The digit CNN with the weights of the golden file, and what one training step needs.
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <softscore/backend/tbb.hpp>
#include <softscore/io/safetensors.hpp>
#include <softscore/nn/digit_cnn.hpp>
#include <softscore/optim/adam.hpp>

#include "harness.hpp"

namespace bench {

using namespace softscore;

inline digit_cnn golden_network() {
  const safetensors_file file{BENCH_WEIGHTS};
  digit_cnn net;
  std::vector<float> values(net.parameter_count());
  for (const parameter& p : net.layout())
    file.tensor_into<float>("param/" + p.name, p.sizes, std::span{values}.subspan(p.offset, p.size()));
  net.set_parameters(values);
  return net;
}

/// Forward, mean squared error, backward and Adam on one batch.
class training_step {
 public:
  training_step(std::size_t threads, std::size_t images)
      : be{threads},
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
  digit_cnn net{golden_network()};

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
  digit_cnn_workspace<tbb_backend, float> ws_;
  std::uint64_t count_{};
};

inline std::vector<float> numbers_of(const std::vector<diffusion_time>& times) {
  std::vector<float> t;
  for (const diffusion_time time : times) t.push_back(static_cast<float>(time.value));
  return t;
}

}  // namespace bench
