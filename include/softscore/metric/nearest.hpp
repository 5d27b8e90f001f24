#pragma once

#include <concepts>
#include <cstddef>
#include <limits>
#include <type_traits>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/eigen.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/view.hpp>
#include <softscore/metric/finite.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The number of an image in a set, and the Euclidean distance to it over all its elements.
struct neighbor {
  std::size_t index{};
  double distance{};
};

/// Finds, for each image of `queries`, the nearest one of `set` by pixel L2 (Daras et al. 2022, Appendix F.4); the
/// first if several are equally near. Throws `error` if the set is empty, if its images have another shape, or if an
/// image or a distance is not finite in T.
template <std::floating_point T = float>
std::vector<neighbor> nearest_images(std::type_identity_t<view<const T, host_space>> queries,
                                     std::type_identity_t<view<const T, host_space>> set) {
  require(set.extent().images > 0, "the number of images to search", set.extent().images, "positive");
  require(queries.extent() == set.extent().with_images(queries.extent().images), "the shape of the queries",
          queries.extent(), "that of the images to search");
  std::vector<neighbor> found;
  found.reserve(queries.extent().images);
  for (std::size_t q = 0; q < queries.extent().images; ++q) {
    const auto query = as_vector(queries.image(q));
    neighbor best{0, std::numeric_limits<double>::infinity()};
    for (std::size_t i = 0; i < set.extent().images; ++i) {
      const auto squared = static_cast<double>((as_vector(set.image(i)) - query).squaredNorm());
      if (!std::isfinite(squared)) {
        detail::require_finite_rows(as_matrix(queries), "image", "the queries");
        detail::require_finite_rows(as_matrix(set), "image", "the images to search");
        reject("the squared distance of query " + detail::shown(q) + " from image " + detail::shown(i), squared,
               "finite");
      }
      if (squared < best.distance) best = {i, squared};
    }
    best.distance = std::sqrt(best.distance);
    found.push_back(best);
  }
  return found;
}

}  // namespace softscore::inline SOFTSCORE_ABI
