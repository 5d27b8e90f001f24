#pragma once

// What every program of ours shares: it times by Google Benchmark, and with --answer FILE writes what it computed, so
// that a peer can compare before anything is timed. --cases REGEX chooses among the cases.
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <regex>
#include <string>
#include <vector>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include <benchmark/benchmark.h>
#include <oneapi/tbb/info.h>

#include <softscore/backend/tbb/simd.hpp>
#include <softscore/core/noise.hpp>
#include <softscore/core/shape.hpp>

namespace bench {

inline constexpr double least_seconds = 0.4;  // of one figure

inline std::size_t cores() { return static_cast<std::size_t>(tbb::info::default_concurrency()); }

/// Standard normal numbers, the same at every call.
inline std::vector<float> normal_numbers(std::size_t count, std::uint64_t seed) {
  std::vector<float> z(count);
  for (std::size_t i = 0; i < count; ++i)
    z[i] = softscore::normals({.seed = seed}, 0, static_cast<std::uint32_t>(i / 4))[i % 4];
  return z;
}

namespace detail {
inline std::regex& chosen_cases() {
  static std::regex chosen{""};
  return chosen;
}
}  // namespace detail

/// Whether the case of that name was asked for.
inline bool asked_for(const std::string& name) { return std::regex_search(name, detail::chosen_cases()); }

/// Times what `make()` returns, under `name`; it is made for the timing and thrown away after it. `flops` and `bytes`
/// say what one call does, 0 where that is of no interest.
template <class Make>
void add(const std::string& name, Make make, double flops = 0, double bytes = 0) {
  if (!asked_for(name)) return;
  benchmark::RegisterBenchmark(name.c_str(),
                               [make, flops, bytes](benchmark::State& state) {
                                 auto body = make();
                                 body();  // caches, pages and pools are warm
                                 for (auto _ : state) body();
                                 const auto rate = [](double each) {
                                   return benchmark::Counter{each, benchmark::Counter::kIsIterationInvariantRate};
                                 };
                                 if (flops > 0) state.counters["flops"] = rate(flops);
                                 if (bytes > 0) state.counters["bytes"] = rate(bytes);
                               })
      ->Unit(benchmark::kMicrosecond)
      ->UseRealTime()
      ->MinTime(least_seconds);
}

/// usage: PROGRAM [--cases REGEX] [--answer FILE] [options of Google Benchmark]
template <class Answer, class Cases>
int run(int argc, char** argv, Answer answer, Cases cases) try {
#if defined(__GLIBC__)
  // Cases come one after the other; the memory of one must not be counted as the next one's.
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
#endif
  if (argc >= 3 && std::strcmp(argv[1], "--cases") == 0) {
    detail::chosen_cases() = std::regex{argv[2]};
    argv[2] = argv[0];
    argv += 2;
    argc -= 2;
  }
  if (argc == 3 && std::strcmp(argv[1], "--answer") == 0) {
    answer(std::string{argv[2]});
    return 0;
  }
  benchmark::AddCustomContext("compiler", BENCH_COMPILER);
  benchmark::AddCustomContext("float lanes", std::to_string(softscore::detail::native_lanes));
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  cases();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
} catch (const std::exception& problem) {
  std::fprintf(stderr, "%s\n", problem.what());
  return 1;
}

}  // namespace bench
