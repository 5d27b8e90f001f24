// A program and a shared library that both use softscore with hidden visibility: stamps of parameters are unlike, so a
// workspace never keeps old ones, each catches what the other throws, and a child of a fork knows that the library had
// threads.
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <set>
#include <string_view>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

#include <softscore/backend/serial.hpp>
#include <softscore/backend/tbb.hpp>

#include "hidden_library.hpp"

using namespace softscore;

int main() {
  int failures = 0;
  const auto expect = [&](bool holds, const char* what) {
    if (!holds) std::cout << "wrong: " << what << '\n';
    failures += !holds;
  };

  std::set<std::uint64_t> stamps{0};
  for (int k = 0; k < 1000; ++k) {
    stamps.insert(next_stamp());
    stamps.insert(stamp_of_library());
  }
  expect(stamps.size() == 2001, "a stamp was given twice");

  // Parameters set here and there in turn, and one workspace for all of them.
  serial_backend be;
  const shape image{1, 1, 8, 8};
  plain_cnn network{{2, 2}, image};
  auto x = be.make<float>(image), y = be.make<float>(image);
  for (std::size_t i = 0; i < image.size(); ++i) x.view()[i] = 0.5f;
  const auto output = [&](auto& workspace) {
    network.evaluate<serial_backend, float>(be, per_image<diffusion_time>{diffusion_time{0.5}}, x.view(), y.view(),
                                            workspace);
    return y.view()[10];
  };
  auto kept = network.workspace<float>(be, image);
  bool fresh = true;
  for (int k = 0; k < 20; ++k) {
    const float value = 0.01f * static_cast<float>(k + 1);
    if (k % 2 == 0)
      set_all_parameters(network, value);
    else
      network.set_parameters(std::vector<float>(network.parameter_count(), value));
    auto workspace = network.workspace<float>(be, image);
    const float want = output(workspace);
    fresh = fresh && output(kept) == want;
  }
  expect(fresh, "a workspace kept old parameters");

  try {
    throw_from_library();
    expect(false, "nothing was thrown");
  } catch (const error& refused) {
    expect(std::string_view{refused.what()} == "the library's argument is 3, but it must be 4", refused.what());
  } catch (...) {
    expect(false, "the library's error was caught as something else");
  }

  // oneTBB's threads belong to the process, so a child has lost them whichever module used them.
  expect(tasks_of_library(24) == 24, "tasks of the library");
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(60);
    tbb_backend threads{3};
    std::atomic<int> here{0};
    const auto caller = std::this_thread::get_id();
    threads.parallel(24, [&](std::size_t) { here += std::this_thread::get_id() == caller; });
    ::_exit(detail::forks::threads_lost() && here == 24 && tasks_of_library(24) == 24 ? 0 : 1);
  }
  int status = -1;
  expect(child > 0 && ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0,
         "a child does not know of the library's threads");
  if (failures == 0) std::cout << "right\n";
  return failures == 0 ? 0 : 1;
}
