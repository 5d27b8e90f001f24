// Which threads work: as many as were asked for, fewer where the work is small or the caller's arena is, and never more
// than that at once.
#include "catch.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <softscore/backend/tbb/backend.hpp>

using namespace softscore;

namespace {

// Counts the threads that run tasks, in all and at once.
class witness {
 public:
  // Takes long enough for every idle thread to come along.
  void operator()() {
    const std::size_t now = ++running_;
    {
      const std::scoped_lock lock{mutex_};
      threads_.insert(std::this_thread::get_id());
      most_ = std::max(most_, now);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
    --running_;
  }
  std::size_t threads() const { return threads_.size(); }
  std::size_t at_once() const { return most_; }

 private:
  std::atomic<std::size_t> running_{};
  std::mutex mutex_;
  std::set<std::thread::id> threads_;
  std::size_t most_{};
};

constexpr std::size_t tasks = 24;

}  // namespace

TEST_CASE("a backend works on as many threads as it was given", "[backend]") {
  for (const std::size_t threads : {std::size_t{1}, std::size_t{2}, std::size_t{3}}) {
    tbb_backend be{threads};
    // Every task waits for as many to be running; the clock only ends a test that fails.
    std::atomic<std::size_t> arrived{};
    witness seen;
    be.parallel(threads, [&](std::size_t) {
      ++arrived;
      const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{20};
      while (arrived < threads && std::chrono::steady_clock::now() < end) std::this_thread::yield();
      seen();
    });
    CHECK(seen.threads() == threads);
    CHECK(seen.at_once() <= threads);
  }
}

TEST_CASE("a backend keeps to the caller's arena", "[backend]") {
  const std::size_t cores = std::max(1u, std::thread::hardware_concurrency());
  tbb_backend be{2};
  witness alone;
  tbb::task_arena one{1};
  one.execute([&] { be.parallel(tasks, [&](std::size_t) { alone(); }); });
  CHECK(alone.threads() == 1);

  // Backends of their own, called by all threads of an outer loop.
  witness all;
  tbb::parallel_for(std::size_t{0}, 2 * cores, [&](std::size_t) {
    tbb_backend own{cores};
    own.parallel(tasks, [&](std::size_t) { all(); });
  });
  CHECK(all.at_once() <= cores);
}

TEST_CASE("what is soon done is done by the caller", "[backend]") {
  tbb_backend be{2};
  const auto workers = [&](const shape& extent) {
    auto a = be.make<float>(extent);
    std::mutex mutex;
    std::set<std::thread::id> threads;
    be.for_each(
        [&](float&) {
          const std::scoped_lock lock{mutex};
          threads.insert(std::this_thread::get_id());
        },
        a.view());
    return threads;
  };
  const std::set caller{std::this_thread::get_id()};
  CHECK(workers({1, 1, 28, 28}) == caller);
  CHECK(workers({16, 1, 28, 28}) == caller);
  // And the bits do not depend on it: a batch that is shared out holds those of one that is not.
  auto many = be.make<float>({128, 1, 28, 28}), one = be.make<float>({1, 1, 28, 28});
  be.normal(noise_key{.seed = 1}, batch{0, 128}, many.view());
  be.combine(many.view(), term{0.3, many.view()}, term{0.7, many.view()});
  be.normal(noise_key{.seed = 1}, batch{100, 1}, one.view());
  be.combine(one.view(), term{0.3, one.view()}, term{0.7, one.view()});
  bool same = true;
  for (std::size_t i = 0; i < 784; ++i) same = same && many.view().image(100)[i] == one.view()[i];
  CHECK(same);
}
