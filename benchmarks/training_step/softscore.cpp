// One training step of the digit CNN: forward, mean squared error, backward and Adam, in float32.
#include <memory>

#include "digit_network.hpp"

int main(int argc, char** argv) {
  using namespace bench;
  const auto answer = [](const std::string& file) {
    constexpr std::size_t images = 128;
    training_step step{cores(), images};
    step.forward();
    const std::vector<float> losses{static_cast<float>(step.backward())};
    const auto x = step.x, target = step.target, t = numbers_of(step.times), out = step.output(),
               gradients = step.gradients();
    std::vector<named_tensor> tensors{{"x", {images, 1, 28, 28}, x},
                                      {"t", {images}, t},
                                      {"target", {images, 1, 28, 28}, target},
                                      {"ours/output", {images, 1, 28, 28}, out},
                                      {"ours/loss", {1}, losses}};
    for (const parameter& p : step.net.layout())
      tensors.emplace_back("ours/grad/" + p.name, p.sizes,
                           std::span<const float>{gradients}.subspan(p.offset, p.size()));
    write_safetensors(file, tensors);
  };
  return run(argc, argv, answer, [] {
    const auto with = [](std::size_t threads, const std::string& name) {
      add(name, [threads] {
        return [step = std::make_shared<training_step>(threads, 128)] {
          step->forward();
          benchmark::DoNotOptimize(step->backward());
          step->update();
        };
      });
    };
    with(cores(), "batch 128");
    if (cores() > 1) with(1, "batch 128, one thread");
  });
}
