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
#include <softscore/sampling.hpp>

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
  be.normal(noise_key{.seed = 1}, image_range{0, 128}, many.view());
  be.combine(many.view(), term{0.3, many.view()}, term{0.7, many.view()});
  be.normal(noise_key{.seed = 1}, image_range{100, 1}, one.view());
  be.combine(one.view(), term{0.3, one.view()}, term{0.7, one.view()});
  bool same = true;
  for (std::size_t i = 0; i < 784; ++i) same = same && many.view().image(100)[i] == one.view()[i];
  CHECK(same);
}

TEST_CASE("calls inside the tasks of an arena do not disturb each other", "[backend]") {
  // A time for each image, so that the loops refer to numbers of the call. While a thread waits for the loops of one
  // call it takes up another, if the loops run in the arena of the tasks: one that is smaller than the machine, or the
  // backend's own.
  const corruption c{motion_blur{30}, variance_exploding{.sigma_min = 0.1, .sigma_max = 2, .level_max = 6}};
  const std::size_t count = 120;
  const auto corrupted = [&](tbb_backend& be, std::size_t k) {
    const shape extent{6 + k % 13, 1, 40, 40};
    auto x = be.make<float>(extent), xi = be.make<float>(extent), out = be.make<float>(extent);
    be.normal(noise_key{k}, image_range{0, extent.images}, x.view());
    std::vector<diffusion_time> times(extent.images);
    for (std::size_t i = 0; i < times.size(); ++i)
      times[i].value = static_cast<double>(i + 1) / static_cast<double>(times.size() + 1 + k % 3);
    c.corrupt<tbb_backend, float>(be, each_of(times), x.view(), xi.view(), out.view());
    std::vector<float> values(extent.size());
    be.download(out.view(), values.data());
    return values;
  };
  tbb_backend one{1};
  std::vector<std::vector<float>> want(count), got(count);
  for (std::size_t k = 0; k < count; ++k) want[k] = corrupted(one, k);

  const auto each_task = [&](tbb_backend& be) {
    tbb::parallel_for(std::size_t{0}, count, [&](std::size_t k) { got[k] = corrupted(be, k); });
  };
  const std::size_t cores = std::max(1u, std::thread::hardware_concurrency());
  for (const int threads : {2, 4}) {
    tbb_backend be{std::max(cores, static_cast<std::size_t>(threads))};
    tbb::task_arena arena{threads};
    for (int round = 0; round < 2; ++round) {
      arena.execute([&] { each_task(be); });
      CHECK((got == want));
      got.assign(count, {});
      be.parallel(2, [&](std::size_t half) {
        if (half == 0) each_task(be);
      });
      CHECK((got == want));
      got.assign(count, {});
    }
  }
}
