#pragma once

#include <cstddef>
#include <vector>

#include <softscore/backend/host_verbs.hpp>

/// A host backend whose noise a test chooses: `noise` holds the numbers of every image, one image after the other, and
/// is given out at every draw; empty means zeros.
class given_noise_backend : public softscore::host_verbs<given_noise_backend> {
 public:
  std::vector<double> noise;

  template <class Body>
  void parallel(std::size_t count, const Body& body) const {
    for (std::size_t i = 0; i < count; ++i) body(i);
  }

  template <softscore::Scalar T>
  void normal(softscore::noise_key, softscore::image_range images,
              softscore::view<T, softscore::host_space> out) const {
    const std::size_t first = static_cast<std::size_t>(images.first) * out.extent().per_image();
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = noise.empty() ? T{} : static_cast<T>(noise.at(first + i));
  }
};
static_assert(softscore::Backend<given_noise_backend, float> && softscore::Backend<given_noise_backend, double>);
