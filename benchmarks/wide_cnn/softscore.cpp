// The wide plain CNN, of 542,161 parameters: a training step and an evaluation of 128 images.
#include "digit_network.hpp"

int main(int argc, char** argv) {
  using namespace bench;
  const auto answer = [](const std::string& file) {
    const plain_cnn network = wide_network();
    write_answer(file, network, network.parameters());
  };
  return run(argc, argv, answer, [] {
    add_training_step("training step", cores(), wide_network);
    if (cores() > 1) add_training_step("training step, one thread", 1, wide_network);
    add_evaluation("forward", cores(), 128, wide_network);
    if (cores() > 1) add_evaluation("forward, one thread", 1, 128, wide_network);
  });
}
