// The plain CNN evaluated with its own weights, as in sampling.
#include "digit_network.hpp"

int main(int argc, char** argv) {
  using namespace bench;
  return run(
      argc, argv, [](const std::string& file) { write_answer(file, golden_network()); },
      [] {
        for (const std::size_t images : {std::size_t{128}, std::size_t{16}, std::size_t{1}})
          add_evaluation("batch " + std::to_string(images), cores(), images, golden_network);
        if (cores() > 1) add_evaluation("batch 1, one thread", 1, 1, golden_network);
      });
}
