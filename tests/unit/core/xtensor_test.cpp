#include <softscore/core/xtensor.hpp>

#include <cstddef>
#include <type_traits>
#include <utility>

#include "catch.hpp"

using softscore::as_view;
using softscore::host_space;
using softscore::shape;
using softscore::view;

template <class T>
concept viewable = requires(T&& tensor) {
  { as_view(std::forward<T>(tensor)).extent() };
};

TEST_CASE("tensors and views turn into each other and share their elements") {
  auto tensor = softscore::make_tensor<double>({2, 3, 4, 5});
  for (std::size_t i = 0; i < tensor.size(); ++i) tensor.data()[i] = static_cast<double>(i);
  const view<double, host_space> seen = as_view(tensor);
  CHECK(seen.extent() == shape{2, 3, 4, 5});
  CHECK(softscore::extent_of(tensor) == seen.extent());
  CHECK(seen[119] == 119.0);

  auto expression = softscore::as_xtensor(seen.images(1, 1));
  CHECK(expression(0, 2, 3, 4) == 119.0);
  expression(0, 0, 0, 0) = -1.0;
  CHECK(tensor(1, 0, 0, 0) == -1.0);
  expression += 1.0;
  CHECK(tensor(1, 2, 3, 4) == 120.0);
  CHECK(tensor(0, 2, 3, 4) == 59.0);

  const auto copy = softscore::to_xtensor(view<const double, host_space>{seen.images(1, 1)});
  CHECK(softscore::extent_of(copy) == shape{1, 3, 4, 5});
  tensor(1, 2, 3, 4) = 0.0;
  CHECK(copy(0, 2, 3, 4) == 120.0);
}

TEST_CASE("a view of a constant tensor is read-only, and none is made of one that is about to go") {
  using tensor = xt::xtensor<float, 4>;
  STATIC_REQUIRE(std::is_same_v<decltype(as_view(std::declval<const tensor&>())), view<const float, host_space>>);
  STATIC_REQUIRE(viewable<tensor&>);
  STATIC_REQUIRE_FALSE(viewable<const tensor>);
  STATIC_REQUIRE_FALSE(viewable<tensor>);
}
