// Every verb of every backend against plain loops.
#include "catch.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <softscore/backend/serial.hpp>

#include "device_under_test.hpp"
#include "given_noise_backend.hpp"
#include "opaque_backend.hpp"
#include "random_batch.hpp"
#include "refusal.hpp"

using namespace softscore;

namespace {

// More than one block of for_each, and no multiple of anything.
const shape extent{3, 2, 37, 53};

// The product of two arrays of the host, in double.
template <class T>
double product_of(const std::vector<T>& a, const std::vector<T>& b, std::size_t first, std::size_t count) {
  double sum = 0;
  for (std::size_t i = first; i < first + count; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

struct weighted_sum {
  template <class T>
  SOFTSCORE_HD void operator()(T& a, const T& b, const T& c) const {
    a = a + T{2} * b - c;
  }
};
struct everything_it_is_told {
  template <class T>
  SOFTSCORE_HD T operator()(level w, const shape& s, pixel p, std::size_t image, const T* in,
                            const double* table) const {
    return static_cast<T>(w.value + 10.0 * static_cast<double>(p.channel) + 100.0 * static_cast<double>(p.row) +
                          1e4 * static_cast<double>(p.column) + 1e6 * static_cast<double>(image) + table[p.row]) +
           in[p.offset(s)];
  }
};

}  // namespace

TEMPLATE_TEST_CASE("make gives zeros, and what goes up comes down", "[backend]", HOST_BACKENDS, opaque_backend,
                   device_under_test) {
  TestType be;
  const auto check = [&]<class T>(T) {
    auto array = be.template make<T>(extent);
    CHECK(array.view().extent() == extent);
    CHECK((values_of(be, array.view()) == std::vector<T>(extent.size())));
    std::vector<T> values(extent.size());
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(i) / 3;
    be.upload(values.data(), array.view());
    CHECK((values_of(be, array.view()) == values));
    // Part of it, from the middle.
    const auto middle = array.view().images(1, 1);
    CHECK((values_of(be, middle) ==
           std::vector<T>(values.begin() + static_cast<std::ptrdiff_t>(extent.per_image()),
                          values.begin() + 2 * static_cast<std::ptrdiff_t>(extent.per_image()))));
  };
  check(float{});
  check(double{});
}

TEMPLATE_TEST_CASE("normal fills with the key's numbers, whatever the batch and the precision", "[backend]",
                   HOST_BACKENDS, opaque_backend, device_under_test) {
  TestType be;
  const noise_key key{.seed = 9, .stream = noise_stream::sampling, .step = 4, .draw = 2};
  auto rough = be.template make<float>(extent);
  auto fine = be.template make<double>(extent);
  be.normal(key, image_range{70, 3}, rough.view());
  be.normal(key, image_range{70, 3}, fine.view());
  const auto in_float = values_of(be, rough.view());
  const auto in_double = values_of(be, fine.view());
  bool right = true;
  for (std::size_t image = 0; image < 3; ++image)
    for (std::size_t i = 0; i < extent.per_image(); ++i) {
      const float wanted = normals(key, 70 + image, static_cast<std::uint32_t>(i / 4))[i % 4];
      const std::size_t at = image * extent.per_image() + i;
      right = right && in_float[at] == wanted && in_double[at] == static_cast<double>(wanted);
    }
  CHECK(right);
}

#if !defined(__CUDACC__)  // nvcc cannot compile the tbb backend's vectors
TEST_CASE("tbb fills with the very bits of the one-by-one normals, whatever the length of an image", "[backend]") {
  tbb_backend be;
  // A whole number of vectors, a part of one, and blocks whose number, step and image use all their bits.
  const noise_key key{.seed = 0xFEDCBA9876543210u, .stream = noise_stream::user, .step = 0xFFFFFFFFu, .draw = 255};
  const std::uint64_t first = (std::uint64_t{0xABCD} << 32) | 0xFFFFFFFEu;
  for (const std::size_t elements : std::initializer_list<std::size_t>{1, 3, 4, 16, 63, 64, 65, 130, 784, 40000}) {
    auto out = be.make<float>({3, 1, 1, elements});
    be.normal(key, image_range{first, 3}, out.view());
    std::size_t different = 0;
    for (std::size_t i = 0; i < 3 * elements; ++i) {
      const std::size_t at = i % elements;
      const float wanted = normals(key, first + i / elements, static_cast<std::uint32_t>(at / 4))[at % 4];
      different += std::bit_cast<std::uint32_t>(out.view()[i]) != std::bit_cast<std::uint32_t>(wanted);
    }
    CAPTURE(elements);
    CHECK(different == 0);
  }
}

TEST_CASE("tbb combines with fresh noise to the bits of noise first and combination after", "[backend]") {
  tbb_backend be;
  const noise_key key{.seed = 9, .stream = noise_stream::sampling, .step = 4};
  const std::vector<double> each{2.0, -1.0, 0.3};
  for (const std::size_t elements : std::initializer_list<std::size_t>{1, 7, 63, 64, 130, 784, 40000}) {
    const shape sizes{3, 1, 1, elements};
    auto z = be.make<float>(sizes), a = be.make<float>(sizes), b = be.make<float>(sizes), c = be.make<float>(sizes);
    auto out = be.make<float>(sizes);
    be.normal(noise_key{.seed = 1}, image_range{0, 3}, a.view());
    be.normal(noise_key{.seed = 2}, image_range{0, 3}, b.view());
    be.normal(noise_key{.seed = 3}, image_range{0, 3}, c.view());
    be.normal(key, image_range{5, 3}, z.view());
    const term first{per_image<double>{std::span<const double>{each}}, a.view()}, second{0.7, b.view()},
        third{-0.1, c.view()};
    CAPTURE(elements);
    be.combine(out.view(), first, second, third, term{1.3, z.view()});
    auto wanted = values_of(be, out.view());
    be.combine_with_normal(key, image_range{5, 3}, 1.3, out.view(), first, second, third);
    CHECK(values_of(be, out.view()) == wanted);
    be.combine(out.view(), first, second, term{1.3, z.view()});
    wanted = values_of(be, out.view());
    // The result may take the place of a term.
    be.combine_with_normal(key, image_range{5, 3}, 1.3, b.view(), first, second);
    CHECK(values_of(be, b.view()) == wanted);
  }
}
#endif

TEMPLATE_TEST_CASE("combine is the sum of coefficient times array", "[backend]", HOST_BACKENDS, opaque_backend,
                   device_under_test) {
  TestType be;
  auto a = random_batch<double>(be, extent, 1), b = random_batch<double>(be, extent, 2);
  auto c = random_batch<double>(be, extent, 3), d = random_batch<double>(be, extent, 4);
  const auto x = values_of(be, a.view()), y = values_of(be, b.view()), z = values_of(be, c.view()),
             w = values_of(be, d.view());
  const std::vector<double> each{2.0, -1.0, 0.25};
  const per_image<double> own{std::span<const double>{each}};
  const auto check = [&](const auto& found, const auto& wanted) {
    double worst = 0;
    for (std::size_t i = 0; i < extent.size(); ++i)
      worst = std::max(worst, std::abs(found[i] - wanted(i, each[i / extent.per_image()])));
    // Four products of numbers below 5 and 5, contracted or not.
    CHECK(worst <= 100 * 2.3e-16);
  };
  auto out = be.template make<double>(extent);
  be.combine(out.view(), term{own, a.view()});
  check(values_of(be, out.view()), [&](std::size_t i, double k) { return k * x[i]; });
  be.combine(out.view(), term{0.5, a.view()}, term{own, b.view()});
  check(values_of(be, out.view()), [&](std::size_t i, double k) { return 0.5 * x[i] + k * y[i]; });
  be.combine(out.view(), term{0.5, a.view()}, term{own, b.view()}, term{-3.0, c.view()});
  check(values_of(be, out.view()), [&](std::size_t i, double k) { return 0.5 * x[i] + k * y[i] - 3 * z[i]; });
  // The result may take the place of a term.
  be.combine(a.view(), term{0.5, a.view()}, term{own, b.view()}, term{-3.0, c.view()}, term{2.0, d.view()});
  check(values_of(be, a.view()), [&](std::size_t i, double k) { return 0.5 * x[i] + k * y[i] - 3 * z[i] + 2 * w[i]; });
}

TEMPLATE_TEST_CASE("for_each reaches every element once", "[backend]", HOST_BACKENDS, opaque_backend,
                   device_under_test) {
  TestType be;
  auto a = random_batch<float>(be, extent, 1);
  const auto b = random_batch<float>(be, extent, 2), c = random_batch<float>(be, extent, 3);
  const auto before = values_of(be, a.view()), y = values_of(be, b.view()), z = values_of(be, c.view());
  be.for_each(weighted_sum{}, a.view(), b.view(), c.view());
  const auto after = values_of(be, a.view());
  double worst = 0;
  for (std::size_t i = 0; i < after.size(); ++i)
    worst = std::max(worst, static_cast<double>(std::abs(after[i] - (before[i] + 2 * y[i] - z[i]))));
  CHECK(worst < 20 * 1.2e-7);  // contracted or not
}

TEMPLATE_TEST_CASE("each_pixel tells the body where it is", "[backend]", HOST_BACKENDS, opaque_backend,
                   device_under_test) {
  TestType be;
  const shape small{3, 2, 5, 4};
  const auto in = random_batch<double>(be, small, 1);
  auto out = be.template make<double>(small);
  const std::vector<level> levels{{0.125}, {0.25}, {0.5}};
  const auto table = std::make_shared<const std::vector<double>>(std::vector<double>{1e-3, 2e-3, 3e-3, 4e-3, 5e-3});
  be.each_pixel(everything_it_is_told{}, per_image<level>{std::span<const level>{levels}}, in.view(), out.view(),
                be.constant(table));
  const auto x = values_of(be, in.view()), y = values_of(be, out.view());
  std::size_t i = 0;
  double worst = 0;
  for (std::size_t n = 0; n < 3; ++n)
    for (std::size_t c = 0; c < 2; ++c)
      for (std::size_t r = 0; r < 5; ++r)
        for (std::size_t k = 0; k < 4; ++k, ++i)
          worst = std::max(worst, std::abs(y[i] - (levels[n].value + 10.0 * static_cast<double>(c) +
                                                   100.0 * static_cast<double>(r) + 1e4 * static_cast<double>(k) +
                                                   1e6 * static_cast<double>(n) + (*table)[r] + x[i])));
  CHECK(worst < 1e-8);  // five roundings of numbers of 2e6
}

TEMPLATE_TEST_CASE("dot is one sum in double per image", "[backend]", HOST_BACKENDS, opaque_backend,
                   device_under_test) {
  TestType be;
  for (const shape& s : {extent, shape{4, 1, 1, 7}, shape{2, 1, 1, 8}}) {
    const auto a = random_batch<float>(be, s, 1), b = random_batch<float>(be, s, 2);
    std::vector<double> found(s.images, -1.0);
    be.dot(a.view(), b.view(), found.data());
    for (std::size_t n = 0; n < s.images; ++n) {
      const double wanted =
          product_of(values_of(be, a.view()), values_of(be, b.view()), n * s.per_image(), s.per_image());
      // Products of floats are exact in double; n additions in either order.
      CHECK(std::abs(found[n] - wanted) <
            25.0 * static_cast<double>(s.per_image()) * static_cast<double>(s.per_image()) * 1.2e-16);
    }
  }
}

TEMPLATE_TEST_CASE("convert rounds to float and widens to double", "[backend]", HOST_BACKENDS, opaque_backend,
                   device_under_test) {
  TestType be;
  const auto fine = random_batch<double>(be, extent, 1);
  auto rough = be.template make<float>(extent);
  auto back = be.template make<double>(extent);
  be.convert(fine.view(), rough.view());
  be.convert(view_of<TestType, const float>(rough.view()), back.view());
  const auto x = values_of(be, fine.view()), z = values_of(be, back.view());
  bool right = true;
  for (std::size_t i = 0; i < x.size(); ++i) right = right && z[i] == static_cast<double>(static_cast<float>(x[i]));
  CHECK(right);
}

#if !defined(__CUDACC__)  // nvcc cannot compile the tbb backend's vectors
TEST_CASE("the tbb backend refuses a number of threads that cannot be", "[backend]") {
  CHECK_REFUSED(tbb_backend{0}, "threads is 0, but it must be between 1 and 4096");
  CHECK_REFUSED(tbb_backend{5000}, "threads is 5000, but it must be between 1 and 4096");
  CHECK(tbb_backend{3}.threads() == 3);
  CHECK(tbb_backend{}.threads() >= 1);
}

TEST_CASE("parallel calls every task once on any number of threads", "[backend]") {
  for (const std::size_t threads : {1u, 2u, 5u}) {
    tbb_backend be{threads};
    for (const std::size_t count : {0u, 1u, 2u, 1000u}) {
      std::vector<int> calls(count);
      be.parallel(count, [&](std::size_t i) { ++calls[i]; });
      CHECK(std::all_of(calls.begin(), calls.end(), [](int c) { return c == 1; }));
    }
  }
}
#endif
