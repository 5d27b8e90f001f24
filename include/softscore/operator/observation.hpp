#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include <softscore/backend/concept.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Measured images y, kept on the host in double: one for each image of a run, where image i of the run has image i of
/// y; or a single one, for which every image of the run is a reconstruction. Copies share the numbers.
class observation {
 public:
  /// Throws `error` if there are no images, if the number of values is not the shape's, or if one is not finite.
  template <class = when_called>
  observation(shape extent, std::vector<double> values) : extent_{extent} {
    require(extent.images >= 1, "images of the observation", extent.images, "at least 1");
    require(values.size() == extent.size(), "values of the observation", values.size(), "the elements of its shape");
    for (const double value : values) require(std::isfinite(value), "value of the observation", value, "finite");
    values_ = std::make_shared<const std::vector<double>>(std::move(values));
  }

  /// Copies y from a backend.
  template <class Be, class T>
  static observation from(Be& be, out_of<Be, T> y) {
    std::vector<std::remove_const_t<T>> host(y.size());
    be.download(y, host.data());
    return {y.extent(), std::vector<double>(host.begin(), host.end())};
  }

  const shape& extent() const { return extent_; }

  /// The position of the y of image `image` of a run; throws `error` if there is none.
  std::size_t place(std::uint64_t image) const {
    if (extent_.images == 1) return 0;
    require(image < extent_.images, "number of the image", image,
            "below the number of observed images, where there are several");
    return static_cast<std::size_t>(image);
  }

  /// The y of image `image` of a run.
  std::span<const double> of(std::uint64_t image) const {
    return {values_->data() + place(image) * extent_.per_image(), extent_.per_image()};
  }

  /// Stores the y of the images of a run into `out`; throws `error` if they have another extent or one has no y.
  template <class Be, Scalar T>
  void put(Be& be, image_range images, out_of<Be, T> out) const {
    if (out.extent().with_images(1) != extent_.with_images(1))
      reject("extent of the observation", extent_, "that of the images");
    std::vector<T> host;
    host.reserve(out.size());
    for (std::size_t i = 0; i < images.count; ++i)
      for (const double value : of(images.first + i)) host.push_back(static_cast<T>(value));
    be.upload(host.data(), out);
  }

 private:
  shape extent_;
  std::shared_ptr<const std::vector<double>> values_;
};

}  // namespace softscore::inline SOFTSCORE_ABI
