// After a fork the child computes what its parent does, to the last bit: on a serial backend, on a new backend of
// threads and on one that the parent has used. A child that hangs is ended by its alarm.
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <iostream>
#include <thread>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include <softscore/backend/tbb.hpp>
#include <softscore/sampling.hpp>

using namespace softscore;

namespace {

// Noise of the backend, and images blurred each to a time of its own.
template <class Be>
std::vector<float> corrupted(Be& be) {
  const corruption c{dct_blur{}, variance_exploding{.sigma_min = 0.1, .sigma_max = 2, .level_max = 3}};
  const shape extent{32, 1, 32, 32};
  auto x = be.template make<float>(extent), xi = be.template make<float>(extent), out = be.template make<float>(extent);
  be.normal(noise_key{1}, image_range{0, extent.images}, x.view());
  be.normal(noise_key{2}, image_range{0, extent.images}, xi.view());
  std::vector<diffusion_time> times;
  for (std::size_t i = 1; i <= extent.images; ++i) times.push_back({static_cast<double>(i) / 32.0});
  c.template corrupt<Be, float>(be, each_of(times), x.view(), xi.view(), out.view());
  std::vector<float> values(extent.size());
  be.download(out.view(), values.data());
  return values;
}

// Whether `child` returns true in the child of a fork, which leaves through `leave`: as programs do, unless it is told
// to leave what the parent's other threads had on their stacks alone.
template <class Child>
bool holds_in_child(const Child& child, void (*leave)(int) = std::exit) {
  const pid_t id = ::fork();
  if (id == 0) {
    ::alarm(60);
    leave(child() ? 0 : 1);
  }
  int status = -1;
  return id > 0 && ::waitpid(id, &status, 0) == id && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

int main() {
  int failures = 0;
  const auto expect = [&](bool holds, const char* what) {
    if (!holds) std::cout << "wrong: " << what << std::endl;
    failures += !holds;
  };
  serial_backend serial;
  const auto want = corrupted(serial);
  const auto fresh = [&](std::size_t threads) {
    tbb_backend be{threads};
    return corrupted(be) == want;
  };
  const auto in_grandchild = [&] { return fresh(3) && holds_in_child([&] { return fresh(2); }); };

  // A parent that has not used threads yet: its children may.
  expect(holds_in_child([&] { return corrupted(serial) == want; }), "serial in a child before any loop on threads");
  expect(holds_in_child(in_grandchild), "threads in a child before any loop on threads");

  tbb_backend threads{3};
  expect(holds_in_child([&] { return corrupted(threads) == want; }), "the parent's unused threads in a child");
  expect(corrupted(threads) == want, "threads in the parent");
  for (int round = 0; round < 5; ++round) {
    expect(holds_in_child([&] {
             serial_backend be;
             return corrupted(be) == want;
           }),
           "serial in a child");
    expect(holds_in_child([&] { return corrupted(serial) == want; }), "the parent's serial backend in a child");
    expect(holds_in_child([&] { return fresh(2) && fresh(5); }), "new threads in a child");
    expect(holds_in_child([&] { return corrupted(threads) == want; }), "the parent's threads in a child");
    expect(holds_in_child([&] {
             std::atomic<int> elsewhere{0};
             const auto caller = std::this_thread::get_id();
             threads.parallel(24, [&](std::size_t) { elsewhere += std::this_thread::get_id() != caller; });
             return elsewhere == 0;
           }),
           "tasks of a child on a thread that it does not have");
    expect(holds_in_child(in_grandchild), "new threads in a child of a child");
    expect(corrupted(threads) == want, "threads in the parent, after a fork");
  }
  // While other threads of the parent are at work.
  std::vector<std::thread> busy;
  std::atomic<bool> done{false};
  for (int k = 0; k < 2; ++k)
    busy.emplace_back([&] {
      tbb_backend be{2};
      while (!done) corrupted(be);
    });
  for (int round = 0; round < 10; ++round)
    expect(holds_in_child([&] { return fresh(2); }, std::_Exit), "a fork amid other work");
  done = true;
  for (std::thread& each : busy) each.join();
  if (failures == 0) std::cout << "right\n";
  return failures == 0 ? 0 : 1;
}
