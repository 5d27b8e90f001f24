#include "hidden_library.hpp"

#include <atomic>
#include <vector>

#include <softscore/backend/tbb.hpp>

void set_all_parameters(softscore::plain_cnn& network, float value) {
  network.set_parameters(std::vector<float>(network.parameter_count(), value));
}
std::uint64_t stamp_of_library() { return softscore::next_stamp(); }
void throw_from_library() { softscore::require(false, "the library's argument", 3, "4"); }
std::size_t tasks_of_library(std::size_t count) {
  softscore::tbb_backend be{3};
  std::atomic<std::size_t> done{0};
  be.parallel(count, [&](std::size_t) { ++done; });
  return done;
}
