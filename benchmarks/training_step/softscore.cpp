// One training step of the plain CNN: forward, mean squared error, backward and Adam, in float32.
#include "digit_network.hpp"

int main(int argc, char** argv) {
  using namespace bench;
  return run(
      argc, argv, [](const std::string& file) { write_answer(file, golden_network()); },
      [] {
        add_training_step("batch 128", cores(), golden_network);
        if (cores() > 1) add_training_step("batch 128, one thread", 1, golden_network);
      });
}
