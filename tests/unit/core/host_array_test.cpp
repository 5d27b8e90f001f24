#include <softscore/core/host_array.hpp>
#include <softscore/core/pooled_array.hpp>

#include "catch.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "heap.hpp"

using namespace softscore;

static_assert(!std::is_copy_constructible_v<host_array<float>> &&
              std::is_nothrow_move_constructible_v<host_array<float>>);

TEST_CASE("an array is aligned, zero at first, and moves", "[core]") {
  const auto pool = std::make_shared<memory_pool>();
  const shape extent{2, 3, 5, 7};
  {
    host_array<float> a{extent, pool};
    CHECK(a.extent() == extent);
    CHECK(reinterpret_cast<std::uintptr_t>(a.view().image(0).data()) % memory_pool::alignment == 0);
    const auto all = a.view();
    bool zero = true;
    for (std::size_t i = 0; i < all.size(); ++i) zero = zero && all[i] == 0.0f;
    CHECK(zero);
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = 1.0f;
    const float* const where = all.image(0).data();
    const host_array<float> b = std::move(a);
    CHECK(b.view().image(0).data() == where);
    CHECK(b.view()[5] == 1.0f);
  }
  // The same block again, and zero again.
  const host_array<float> again{extent, pool};
  CHECK(again.view()[5] == 0.0f);
  CHECK(host_array<float>{}.view().empty());
  CHECK(host_array<float>{shape{0, 1, 4, 4}, pool}.view().size() == 0);
}

TEST_CASE("an array of many bytes is zero too, at first and again", "[core]") {
  const auto pool = std::make_shared<memory_pool>();
  // One element fewer than a huge page, a page, one more, and several.
  for (const std::size_t count : {memory_pool::huge_page / 4 - 1, memory_pool::huge_page / 4,
                                  memory_pool::huge_page / 4 + 1, memory_pool::huge_page + 3}) {
    for (int time = 0; time < 3; ++time) {
      host_array<float> a{{1, 1, 1, count}, pool}, b{{1, 1, 1, count}, pool};
      const std::span all{a.view().image(0).data(), count};
      CHECK(reinterpret_cast<std::uintptr_t>(all.data()) % memory_pool::alignment == 0);
      CHECK(std::all_of(all.begin(), all.end(), [](float x) { return x == 0; }));
      std::fill(all.begin(), all.end(), 1.0f);
      CHECK(b.view()[count - 1] == 0.0f);
    }
  }
}

TEST_CASE("after the first step a pool needs no heap", "[core]") {
  const auto pool = std::make_shared<memory_pool>();
  const auto step = [&] {
    host_array<float> a{{4, 1, 8, 8}, pool}, b{{4, 1, 8, 8}, pool};
    host_array<double> c{{1, 1, 1, 100}, pool};
    std::swap(a, b);
    host_array<float> d{{4, 1, 8, 8}, pool};
    d = std::move(a);
  };
  CHECK(heap::allocations(step) > 0);
  CHECK(heap::allocations([&] {
          for (int i = 0; i < 100; ++i) step();
        }) == 0);
  // Other orders of giving back need no new room either.
  CHECK(heap::allocations([&] {
          auto a = std::pair{host_array<float>{{4, 1, 8, 8}, pool}, host_array<float>{{4, 1, 8, 8}, pool}};
          a.second = host_array<float>{};
          a.first = host_array<float>{};
        }) == 0);
}

TEST_CASE("arrays outlive whoever made the pool", "[core]") {
  host_array<int> kept;
  {
    const auto pool = std::make_shared<memory_pool>();
    kept = host_array<int>{{1, 1, 1, 10}, pool};
  }
  kept.view()[9] = 4;
  CHECK(kept.view()[9] == 4);
}

TEST_CASE("threads may share a pool", "[core]") {
  const auto pool = std::make_shared<memory_pool>();
  std::vector<std::thread> threads;
  std::vector<int> wrong(4);
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 500; ++i) {
        host_array<int> a{{1, 1, 1, 64}, pool}, b{{1, 1, 1, static_cast<std::size_t>(1 + i % 7)}, pool};
        for (std::size_t k = 0; k < 64; ++k) a.view()[k] += t;
        for (std::size_t k = 0; k < 64; ++k) wrong[static_cast<std::size_t>(t)] += a.view()[k] == t ? 0 : 1;
      }
    });
  for (auto& thread : threads) thread.join();
  CHECK(std::all_of(wrong.begin(), wrong.end(), [](int w) { return w == 0; }));
}

TEST_CASE("pooled arrays of one time have memory of their own, and none is taken from the heap twice", "[core]") {
  // As many at once as a call within a call within a call, of mixed sizes.
  const auto nested = [](std::size_t count) {
    detail::pooled_array<double> a{count};
    detail::pooled_array<int> b;
    b.resize(2 * count);
    detail::pooled_array<double> c{count + 300};
    for (std::size_t i = 0; i < count; ++i) a[i] = 1.0;
    for (std::size_t i = 0; i < b.size(); ++i) b[i] = 2;
    for (std::size_t i = 0; i < c.size(); ++i) c[i] = 3.0;
    return std::all_of(a.data(), a.data() + a.size(), [](double v) { return v == 1.0; }) &&
           std::all_of(b.data(), b.data() + b.size(), [](int v) { return v == 2; });
  };
  CHECK(nested(1000));
  CHECK(nested(0));
  CHECK(nested(1000));
  CHECK(heap::allocations([&] { nested(1000); }) == 0);
  CHECK(heap::allocations([&] { nested(10); }) == 0);

  // More at once than are kept.
  std::vector<detail::pooled_array<std::size_t>> many(200);
  for (std::size_t i = 0; i < many.size(); ++i) {
    many[i].resize(3);
    for (std::size_t k = 0; k < 3; ++k) many[i][k] = i;
  }
  bool own = true;
  for (std::size_t i = 0; i < many.size(); ++i) own = own && many[i][0] == i && many[i][2] == i;
  CHECK(own);
}

TEST_CASE("threads share the pool without sharing an array", "[core]") {
  std::vector<std::thread> threads;
  std::atomic<std::size_t> mixed{};
  for (std::size_t t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (std::size_t round = 0; round < 2000; ++round) {
        detail::pooled_array<std::size_t> mine{1 + round % 50};
        for (std::size_t i = 0; i < mine.size(); ++i) mine[i] = t;
        for (std::size_t i = 0; i < mine.size(); ++i) mixed += mine[i] != t;
      }
    });
  for (std::thread& each : threads) each.join();
  CHECK(mixed == 0);
}
