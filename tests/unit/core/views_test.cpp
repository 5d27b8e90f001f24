#include <softscore/core/per_image.hpp>
#include <softscore/core/quantity.hpp>
#include <softscore/core/shape.hpp>
#include <softscore/core/view.hpp>

#include "catch.hpp"

#include <array>
#include <concepts>
#include <numeric>
#include <span>
#include <sstream>
#include <type_traits>
#include <vector>

using namespace softscore;

namespace {
struct far_space {
  static constexpr bool host = false;
};
template <class V>
concept TouchesElements = requires(V v) { v[0]; };
template <class V>
concept GivesImages = requires(V v) { v.image(0); };
}  // namespace

// A shape counts its elements, in images x channels x height x width.
static_assert(shape{2, 3, 4, 5}.plane() == 20);
static_assert(shape{2, 3, 4, 5}.per_image() == 60);
static_assert(shape{2, 3, 4, 5}.size() == 120);
static_assert(shape{2, 3, 4, 5}.with_images(7) == shape{7, 3, 4, 5});
static_assert(shape{2, 3, 4, 5} != shape{2, 3, 5, 4});
static_assert(shape{}.size() == 0);
static_assert(pixel{1, 2, 3}.offset(shape{2, 3, 4, 5}) == 20 + 2 * 5 + 3);
static_assert(diffusion_time{0.5} < diffusion_time{1.0} && level{2.0} > level{1.0} && level{1.0} == level{1.0});

// Elements can be touched on the host alone.
static_assert(TouchesElements<view<float, host_space>> && GivesImages<view<float, host_space>>);
static_assert(!TouchesElements<view<float, far_space>> && !GivesImages<view<float, far_space>>);
// A view of mutable elements serves as one of const elements, and not the other way; spaces and types do not mix.
static_assert(std::convertible_to<view<float, far_space>, view<const float, far_space>>);
static_assert(!std::convertible_to<view<const float, far_space>, view<float, far_space>>);
static_assert(!std::convertible_to<view<float, far_space>, view<float, host_space>>);
static_assert(!std::convertible_to<view<float, host_space>, view<double, host_space>>);
static_assert(std::is_trivially_copyable_v<view<float, host_space>>);

TEST_CASE("shapes print as images x channels x height x width", "[core]") {
  std::ostringstream out;
  out << shape{2, 3, 4, 5};
  CHECK(out.str() == "2 x 3 x 4 x 5");
}

TEST_CASE("a view refers to elements in order, width fastest", "[core]") {
  std::vector<double> memory(2 * 3 * 4 * 5);
  std::iota(memory.begin(), memory.end(), 0.0);
  const view<double, host_space> v{memory.data(), {2, 3, 4, 5}};
  CHECK(v.size() == 120);
  CHECK_FALSE(v.empty());
  CHECK(v[pixel{2, 1, 4}.offset(v.extent())] == 2 * 20 + 5 + 4);
  CHECK(v.image(1).front() == 60);
  CHECK(v.image(1).size() == 60);
  CHECK(v.images(1, 1).extent() == shape{1, 3, 4, 5});
  CHECK(v.images(1, 1)[0] == 60);
  CHECK(v.images(0, 2).size() == 120);
  CHECK(v.slice(10, {1, 1, 2, 3}).extent() == shape{1, 1, 2, 3});
  CHECK(v.slice(10, {1, 1, 2, 3})[5] == 15);
  v[3] = -1;
  const view<const double, host_space> read = v;
  CHECK(read[3] == -1);
  CHECK(view<double, host_space>{}.empty());
}

TEST_CASE("per_image is one value for all or one for each", "[core]") {
  const per_image<double> one{2.5};
  CHECK(one.shared());
  CHECK(one[0] == 2.5);
  CHECK(one[999] == 2.5);
  const std::array<double, 3> values{1, 2, 3};
  const per_image<double> each{std::span<const double>{values}};
  CHECK_FALSE(each.shared());
  CHECK(each[0] == 1);
  CHECK(each[2] == 3);
}
