// Chooses the kernels of the best instruction set. Compiled without any -march, like a program that uses it.
#include <array>
#include <cstdlib>
#include <string>
#include <string_view>

#include <pthread.h>

#include <softscore/backend/tbb/forks.hpp>
#include <softscore/compiled/table.hpp>
#include <softscore/core/error.hpp>

namespace softscore::compiled {

extern "C" const kernels softscore_kernels_v2, softscore_kernels_v3, softscore_kernels_v4;

namespace {

constexpr std::array levels{&softscore_kernels_v2, &softscore_kernels_v3, &softscore_kernels_v4};
constexpr std::array names{"x86-64-v2", "x86-64-v3", "x86-64-v4"};

bool has(std::size_t level) {
  __builtin_cpu_init();
  switch (level) {
    case 0:
      return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
    case 1:
      return has(0) && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
             __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
    default:
      return has(1) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512cd");
  }
}

void lose_threads() {
  tbb_threads::lost.store(true);
  for (const kernels* level : levels) level->threads_are_lost();
}

// Each instruction set has its own variables for what `tbb_threads` says about the process.
void watch_forks() {
  static const int watching = ::pthread_atfork(nullptr, nullptr, [] {
    bool began = tbb_threads::began.load() || tbb_threads::lost.load();
    for (const kernels* level : levels) began = began || level->threads_began();
    if (began) lose_threads();
  });
  static_cast<void>(watching);
  // This process may be the child of a fork that was not watched here.
  if (tbb_threads::lost.load()) lose_threads();
}

const kernels& available(std::size_t level, std::string_view asked_by) {
  if (!has(level)) reject(asked_by, names[level], "an instruction set that this processor has");
  watch_forks();
  return *levels[level];
}

const kernels& choose() {
  constexpr const char* variable = "SOFTSCORE_INSTRUCTIONS";
  if (const char* asked = std::getenv(variable); asked != nullptr && *asked != '\0') {
    for (std::size_t level = 0; level < levels.size(); ++level)
      if (std::string_view{asked} == names[level]) return available(level, variable);
    reject(variable, asked, "x86-64-v2, x86-64-v3 or x86-64-v4");
  }
  std::size_t best = levels.size() - 1;
  while (best > 0 && !has(best)) --best;
  return available(best, "the processor");
}

}  // namespace

const kernels& chosen_kernels() {
  static const kernels& chosen = choose();
  return chosen;
}

const kernels& kernels_of(instruction_set which) {
  return available(static_cast<std::size_t>(which), "the instruction set");
}

}  // namespace softscore::compiled
