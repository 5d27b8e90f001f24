// One of two files of a program, one of which is compiled with the address sanitizer: large arrays that one makes and
// the other destroys.
#include <softscore/core/host_array.hpp>

using softscore::host_array;

host_array<float> made_here();
host_array<float> made_there();

#if PART == 1
host_array<float> made_here() { return host_array<float>{{1, 1, 1024, 1024}}; }
int main() {
  int faults = 0;
  for (int i = 0; i < 3; ++i) {
    auto array = made_there();
    const auto all = array.view();
    for (std::size_t k = 0; k < all.size(); ++k) faults += all[k] != 0;
    all[all.size() - 1] = 1;
  }
  return faults;
}
#else
host_array<float> made_there() {
  host_array<float> destroyed_here = made_here(), returned{{1, 1, 1024, 1024}};
  destroyed_here.view()[0] = 1;
  return returned;
}
#endif
