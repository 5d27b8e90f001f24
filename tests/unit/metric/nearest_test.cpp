#include <softscore/metric/nearest.hpp>

#include <cstddef>
#include <limits>

#include <softscore/core/xtensor.hpp>

#include "catch.hpp"
#include "refusal.hpp"

using softscore::as_view;
using softscore::nearest_images;

// As Daras et al. 2022, Appendix F.4, look for copies of training images.
TEST_CASE("the nearest image is the one at the least Euclidean distance, the first of equals") {
  auto set = softscore::make_tensor({4, 1, 1, 2}), queries = softscore::make_tensor({3, 1, 1, 2});
  const float points[] = {0, 0, 3, 4, 3, 4, -1, 0}, asked[] = {3, 3, 0, 0, -6, 0};
  for (std::size_t i = 0; i < 8; ++i) set.data()[i] = points[i];
  for (std::size_t i = 0; i < 6; ++i) queries.data()[i] = asked[i];
  const auto found = nearest_images(as_view(queries), as_view(set));
  REQUIRE(found.size() == 3);
  CHECK(found[0].index == 1);
  CHECK(found[0].distance == 1.0);
  CHECK(found[1].index == 0);
  CHECK(found[1].distance == 0.0);
  CHECK(found[2].index == 3);
  CHECK(found[2].distance == 5.0);
}

TEST_CASE("an image that is not finite is nobody's nearest") {
  auto set = softscore::make_tensor({3, 1, 1, 2}), queries = softscore::make_tensor({2, 1, 1, 2});
  set.fill(1.0f);
  queries.fill(0.0f);
  set.data()[3] = std::numeric_limits<float>::quiet_NaN();
  CHECK_REFUSED(nearest_images(as_view(queries), as_view(set)),
                "element 1 of image 1 of the images to search is nan, but it must be finite");
  set.data()[3] = 1.0f;
  queries.data()[2] = std::numeric_limits<float>::infinity();
  CHECK_REFUSED(nearest_images(as_view(queries), as_view(set)), "element 0 of image 1 of the queries is inf");
  queries.data()[2] = 1e30f;
  CHECK_REFUSED(nearest_images(as_view(queries), as_view(set)), "the squared distance of query 1 from image 0 is inf");
}

TEST_CASE("images of another shape have no nearest one") {
  const auto set = softscore::make_tensor({4, 1, 2, 2}), other = softscore::make_tensor({1, 1, 4, 1});
  CHECK_REFUSED(nearest_images(as_view(other), as_view(set)), "the shape of the queries is 1 x 1 x 4 x 1");
  CHECK_REFUSED(nearest_images(as_view(set), as_view(set).images(0, 0)), "the number of images to search is 0");
}
