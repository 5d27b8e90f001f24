// The digit CNN evaluated with its own weights, as in sampling.
#include <memory>

#include "digit_network.hpp"

namespace {

struct evaluation {
  evaluation(std::size_t threads, std::size_t images)
      : be{threads},
        batch{images, 1, 28, 28},
        x{bench::normal_numbers(batch.size(), 1)},
        x_{be.make<float>(batch)},
        out_{be.make<float>(batch)},
        ws_{net.workspace<float>(be, batch)} {
    be.upload(x.data(), x_.view());
  }

  void operator()() {
    net.evaluate<softscore::tbb_backend, float>(be, softscore::diffusion_time{0.4}, x_.view(), out_.view(), ws_);
  }
  std::vector<float> output() {
    std::vector<float> host(batch.size());
    be.download(out_.view(), host.data());
    return host;
  }

  softscore::tbb_backend be;
  softscore::digit_cnn net{bench::golden_network()};
  softscore::shape batch;
  std::vector<float> x;

 private:
  softscore::array_of<softscore::tbb_backend, float> x_, out_;
  softscore::digit_cnn_workspace<softscore::tbb_backend, float> ws_;
};

}  // namespace

int main(int argc, char** argv) {
  using namespace bench;
  const auto answer = [](const std::string& file) {
    constexpr std::size_t images = 128;
    evaluation all{cores(), images};
    all();
    const auto out = all.output();
    const std::vector<float> t(images, 0.4f);
    write_safetensors(
        file, {{"x", {images, 1, 28, 28}, all.x}, {"t", {images}, t}, {"ours/output", {images, 1, 28, 28}, out}});
  };
  return run(argc, argv, answer, [] {
    const auto with = [](std::size_t threads, std::size_t images, const std::string& name) {
      add(name, [threads, images] { return [e = std::make_shared<evaluation>(threads, images)] { (*e)(); }; });
    };
    for (const std::size_t images : {std::size_t{128}, std::size_t{16}, std::size_t{1}})
      with(cores(), images, "batch " + std::to_string(images));
    if (cores() > 1) with(1, 1, "batch 1, one thread");
  });
}
