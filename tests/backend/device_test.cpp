// What the verbs do not show of the CUDA backend: memory, lists of work as graphs, tables, large arrays. On the
// emulated device, whose memory and launches can be counted.
#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <softscore/backend/tbb.hpp>
#include <softscore/optim/ema.hpp>

#include "emulated_backend.hpp"
#include "random_batch.hpp"
#include "refusal.hpp"

using namespace softscore;

TEST_CASE("a device without room says what was asked for and what is free, and goes on working", "[device]") {
  constexpr std::size_t room = (std::size_t{1} << 20) + 512;  // the least that is taken at once, for the backend itself
  emulated_backend be{0, room};
  {
    auto most = be.make<float>({3, 1, 256, 256});
    const shape too_much{2, 1, 256, 256};
    CHECK_REFUSED(be.make<float>(too_much), "the emulated device asked for 524288 bytes, but 262144 are free");
    be.for_each(ema_body{0.0}, most.view(), most.view());
    be.finish();
  }
  // What was given back serves arrays of other sizes too, once the work that was noted for it is done.
  {
    const auto gone = be.make<float>({1, 1, 256, 512});
  }
  auto other = be.make<float>({1, 1, 512, 480});
  CHECK((values_of(be, other.view()) == std::vector<float>(512 * 480)));
}

TEST_CASE("arrays that come and go take memory of a device once", "[device]") {
  emulated_backend be{0};
  const auto step = [&] {
    auto a = be.make<float>({2, 1, 7, 9}), b = be.make<float>({2, 1, 7, 9});
    be.combine(a.view(), term{1.0, b.view()});
    auto c = be.make<double>({2, 1, 1, 1});
    be.flush();
  };
  step();
  const std::size_t before = be.device().allocations;
  for (int i = 0; i < 10; ++i) step();
  CHECK(be.device().allocations == before);
}

TEST_CASE("a list of work that comes again is replayed with its new arguments", "[device]") {
  emulated_backend be;
  auto sum = be.make<double>({3, 1, 1, 5}), one = be.make<double>({3, 1, 1, 5});
  const std::vector<double> ones(15, 1.0);
  be.upload(ones.data(), one.view());
  be.flush();
  double wanted = 0;
  for (int step = 0; step < 12; ++step) {
    const std::vector<double> each{1.0 + step, 2.0 * step, -0.5};
    be.combine(sum.view(), term{1.0, sum.view()}, term{per_image<double>{std::span<const double>{each}}, one.view()});
    be.for_each(ema_body{0.5}, sum.view(), one.view());
    be.combine(sum.view(), term{2.0, sum.view()}, term{0.25 * step, one.view()});
    be.flush();
    wanted = 2 * (0.5 * (wanted + 2.0 * step) + 0.5) + 0.25 * step;
  }
  // Multiples of 2^-13 below 2^17: exact in any order.
  CHECK(values_of(be, sum.view())[7] == wanted);
  CHECK(be.replays() == 11);
  const std::size_t launches = be.device().launches;
  be.flush();
  CHECK(be.device().launches == launches);
}

TEST_CASE("lists of work in turn are each replayed, and the ones used last are kept", "[device]") {
  emulated_backend be{2};
  auto a = be.make<float>({1, 1, 4, 4}), b = be.make<float>({1, 1, 4, 4});
  be.flush();
  const auto one_list = [&](std::size_t length) {
    for (std::size_t i = 0; i < length; ++i) be.combine(a.view(), term{1.0, b.view()});
    be.flush();
  };
  for (int turn = 0; turn < 5; ++turn) one_list(3), one_list(4);
  CHECK(be.replays() == 2 * 4);
  for (int turn = 0; turn < 5; ++turn) one_list(3), one_list(4), one_list(5);
  CHECK(be.replays() >= 2 * 4);  // three lists do not fit, and are launched kernel by kernel
  CHECK((values_of(be, a.view()) == values_of(be, b.view())));
}

TEST_CASE("what is too large to be noted goes up at once", "[device]") {
  emulated_backend be;
  const shape large{2, 1, 700, 300};
  std::vector<float> values(large.size());
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 1000);
  auto array = be.make<float>(large);
  be.upload(values.data(), array.view());
  CHECK((values_of(be, array.view()) == values));
  // Many small ones that together are more than a list holds.
  auto small = be.make<float>({1, 1, 300, 300});
  for (int i = 0; i < 40; ++i) be.upload(values.data() + i, small.view());
  CHECK((values_of(be, small.view()) == std::vector<float>(values.begin() + 39, values.begin() + 39 + 90000)));
}

TEST_CASE("a device keeps a table while it lives, and forgets it", "[device]") {
  emulated_backend be;
  auto table = std::make_shared<const std::vector<double>>(std::vector<double>{1, 2, 3});
  const auto first = be.constant(table);
  CHECK(raw(be.constant(table)) == raw(first));
  CHECK((values_of(be, first) == *table));
  table = std::make_shared<const std::vector<double>>(std::vector<double>{4, 5});
  CHECK((values_of(be, be.constant(table)) == *table));
  for (int i = 0; i < 100; ++i) {
    table = std::make_shared<const std::vector<double>>(std::vector<double>{static_cast<double>(i)});
    CHECK(values_of(be, be.constant(table)).at(0) == i);
  }
}

TEST_CASE("a device correlates planes that fit into a block's memory and planes that do not", "[device]") {
  tbb_backend host{1};
  emulated_backend be;
  for (const auto& [s, kernel_count] : {std::pair{shape{3, 2, 9, 13}, 3u}, std::pair{shape{3, 2, 9, 13}, 1u},
                                        std::pair{shape{2, 1, 90, 110}, 2u}, std::pair{shape{2, 1, 90, 110}, 1u}}) {
    const shape taps{kernel_count, 1, 1, 12};
    std::vector<double> kernels(taps.size());
    for (std::size_t i = 0; i < kernels.size(); ++i) kernels[i] = 1.0 / static_cast<double>(3 + i);
    auto there = be.make<double>(taps);
    auto here = host.make<double>(taps);
    be.upload(kernels.data(), there.view());
    host.upload(kernels.data(), here.view());
    const auto in_there = random_batch<float>(be, s, 1);
    const auto in_here = random_batch<float>(host, s, 1);
    auto out_there = be.make<float>(s);
    auto out_here = host.make<float>(s);
    be.correlate_separably<float>(there.view(), in_there.view(), out_there.view());
    host.correlate_separably<float>(here.view(), in_here.view(), out_here.view());
    const auto a = values_of(be, out_there.view()), b = values_of(host, out_here.view());
    double worst = 0;
    for (std::size_t i = 0; i < a.size(); ++i) worst = std::max(worst, static_cast<double>(std::abs(a[i] - b[i])));
    // Two sums of 23 products, of weights that add up to at most 4 and numbers below 5.
    CHECK(worst < 2 * 23 * 4 * 4 * 5 * 6e-8);
  }
}

TEST_CASE("a device refuses images of more elements than the noise can number", "[device]") {
  emulated_backend be;
  const shape vast{1, 1, std::size_t{1} << 20, std::size_t{1} << 20};
  CHECK_REFUSED(be.make<float>(vast),
                "the extent of an array is 1 x 1 x 1048576 x 1048576, but it must be below 2^32 elements per image");
}
