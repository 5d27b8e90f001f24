#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include <softscore/backend/concept.hpp>
#include <softscore/core/checked_size.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/per_image.hpp>
#include <softscore/core/pixel_scale.hpp>
#include <softscore/core/quantity.hpp>
#include <softscore/core/view.hpp>
#include <softscore/corruption/prior.hpp>
#include <softscore/data/pca.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Fits a prior of our own: a Gaussian in the leading `modes` principal components of C_1 x_0 over the images, at most
/// the first `most` of them, converted to the range that the model sees. Throws `error` for fewer than two images.
template <class Be, class C>
fitted_prior fit_prior(Be& be, const C& corruption, view<const float, host_space> images, pixel_scale pixels = {},
                       std::size_t modes = 32, std::size_t most = 10000) {
  const std::size_t count = (std::min)(most, images.extent().images);
  require(count >= 2, "number of images to fit a prior to", count, "at least 2");
  const shape extent = images.extent().with_images(count);
  auto host = vector_of<float>("elements of the images", {extent.images, extent.per_image()});
  for (std::size_t i = 0; i < host.size(); ++i) host[i] = pixels.gain * images[i] + pixels.offset;
  auto clean = be.template make<float>(extent), gone = be.template make<float>(extent);
  be.upload(host.data(), clean.view());
  corruption.template signal<Be, float>(be, per_image<diffusion_time>{diffusion_time{1.0}}, clean.view(), gone.view());
  be.download(view_of<Be, const float>(gone.view()), host.data());
  const auto fitted = fit_principal_components(view<const float, host_space>{host.data(), extent},
                                               (std::min)({modes, extent.per_image(), count - 1}));
  return fitted_prior{fitted.mean, fitted.deviations, fitted.modes};
}

}  // namespace softscore::inline SOFTSCORE_ABI
