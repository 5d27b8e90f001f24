// Prints a hash of random numbers of every kind, for noise_bits.cmake to compare between compilers.
#include <softscore/core/noise.hpp>

#include <bit>
#include <cstdint>
#include <cstdio>

namespace {
// FNV-1a, byte by byte.
struct hash {
  std::uint64_t value{0xcbf29ce484222325u};
  void add(std::uint64_t word) {
    for (int i = 0; i < 8; ++i) {
      value ^= (word >> (8 * i)) & 0xffu;
      value *= 0x100000001b3u;
    }
  }
};
}  // namespace

int main() {
  using namespace softscore;
  hash h;
  for (std::uint32_t step = 0; step < 64; ++step) {
    const noise_key key{0x0123456789abcdefu * (step + 1), step % 2 == 0 ? noise_stream::sampling : noise_stream::user,
                        step, static_cast<std::uint8_t>(step)};
    for (std::uint32_t block = 0; block < 1024; ++block) {
      for (const float z : normals(key, step * 1000003ull, block)) h.add(std::bit_cast<std::uint32_t>(z));
      h.add(std::bit_cast<std::uint64_t>(uniform(key, block, step)));
      h.add(uniform_below(1000 + block, key, block, step));
    }
  }
  std::printf("%016llx\n", static_cast<unsigned long long>(h.value));
}
