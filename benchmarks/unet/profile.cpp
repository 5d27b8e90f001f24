// usage: profile MODEL [THREADS [STEPS]]
//
// A training step of one of the U-Nets, such as "(a)", by operation and by operation and size, as Markdown. Beside it
// lies benchmarks/support/unet_profile.py, the same of PyTorch.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "timed_backend.hpp"
#include "unet_models.hpp"

namespace {

using entries = std::map<std::string, bench::timed_backend::entry>;

double milliseconds(std::chrono::steady_clock::time_point from, std::chrono::steady_clock::time_point to) {
  return 1e3 * std::chrono::duration<double>(to - from).count();
}

// The longest first.
void print(const entries& of, std::size_t steps, double step) {
  std::printf("\n| operation | calls | a step | share |\n|---|---|---|---|\n");
  std::vector<std::pair<double, std::string>> order;
  for (const auto& [name, e] : of) order.emplace_back(1e3 * e.seconds / static_cast<double>(steps), name);
  std::sort(order.rbegin(), order.rend());
  for (const auto& [time, name] : order)
    std::printf("| %s | %zu | %.2f ms | %.1f %% |\n", name.c_str(), of.at(name).calls / steps, time, 100 * time / step);
}

void profile(const bench::unet_model& model, std::size_t threads, std::size_t steps) {
  using clock = std::chrono::steady_clock;
  bench::unet_step<bench::timed_backend> step{threads, model, model.batches.front()};
  step();  // caches, pages and pools are warm
  step.be.entries.clear();
  double forward = 0, backward = 0, all = 0;
  for (std::size_t k = 0; k < steps; ++k) {
    const auto begin = clock::now();
    step.forward();
    const auto between = clock::now();
    step.backward();
    const auto behind = clock::now();
    step.update();
    forward += milliseconds(begin, between) / static_cast<double>(steps);
    backward += milliseconds(between, behind) / static_cast<double>(steps);
    all += milliseconds(begin, clock::now()) / static_cast<double>(steps);
  }
  std::printf("%s, %zu images, %zu threads: %.1f ms a step, %.1f of them forward and %.1f backward\n",
              model.name.c_str(), model.batches.front(), threads, all, forward, backward);
  entries operations, sized;
  double clocked = 0;
  for (const auto& [key, e] : step.be.entries) {
    const std::string name = key.substr(0, key.find('|')), size = key.substr(key.find('|') + 1);
    operations[name].seconds += e.seconds;
    operations[name].calls += e.calls;
    clocked += 1e3 * e.seconds / static_cast<double>(steps);
    sized.emplace(size.empty() ? name : name + ": " + size, e);
  }
  std::printf("In no operation: %.1f ms\n", all - clocked);
  print(operations, steps, all);
  print(sized, steps, all);
}

}  // namespace

int main(int argc, char** argv) try {
  const auto number = [&](int k, std::size_t otherwise) {
    return argc > k ? static_cast<std::size_t>(std::strtoul(argv[k], nullptr, 10)) : otherwise;
  };
  for (const bench::unet_model& model : bench::unet_models())
    if (argc > 1 && model.name == argv[1]) {
      profile(model, number(2, bench::cores()), std::max<std::size_t>(number(3, 5), 1));
      return 0;
    }
  std::fprintf(stderr, "usage: profile MODEL [THREADS [STEPS]], where MODEL is (a), (b), (c) or (d)\n");
  return 2;
} catch (const std::exception& problem) {
  std::fprintf(stderr, "%s\n", problem.what());
  return 1;
}
