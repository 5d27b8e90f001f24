#pragma once

#include <concepts>
#include <cstddef>
#include <vector>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/eigen.hpp>
#include <softscore/core/error.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// A linear map of images as a d x d matrix: `apply(be, units, columns)` maps d unit images at once.
template <class Apply, std::floating_point Real = double>
Eigen::MatrixX<Real> dense_map(const shape& image, const Apply& apply) {
  const std::size_t d = image.per_image();
  serial_backend be;
  auto units = be.make<Real>(image.with_images(d)), columns = be.make<Real>(image.with_images(d));
  for (std::size_t i = 0; i < d; ++i) units.view()[i * d + i] = Real{1};
  apply(be, view<const Real, host_space>(units.view()), columns.view());
  return Eigen::Map<const Eigen::MatrixX<Real>>(&columns.view()[0], eigen_index(d), eigen_index(d));
}

// Calls `body(i, image)` for every image of a batch, on the host in double.
template <class T, class Be, class Body>
void each_image_on_host(Be& be, const shape& image, view_of<Be, const T> in, const Body& body) {
  const std::size_t d = in.extent().per_image();
  require(d == image.per_image(), "elements of an image", d, "the length of the mean");
  std::vector<T> host(in.size());
  be.download(in, host.data());
  Eigen::VectorXd each(eigen_index(d));
  for (std::size_t i = 0; i < in.extent().images; ++i) {
    for (std::size_t k = 0; k < d; ++k) each[eigen_index(k)] = static_cast<double>(host[i * d + k]);
    body(i, each);
  }
}

// Stores f(i, image) for every image of a batch, computed on the host in double.
template <class T, class Be, class F>
void map_images_on_host(Be& be, const shape& image, view_of<Be, const T> in, view_of<Be, T> out, const F& f) {
  const std::size_t d = in.extent().per_image();
  std::vector<T> answers(in.size());
  each_image_on_host<T>(be, image, in, [&](std::size_t i, const Eigen::VectorXd& each) {
    const Eigen::VectorXd answer = f(i, each);
    for (std::size_t k = 0; k < d; ++k) answers[i * d + k] = static_cast<T>(answer[eigen_index(k)]);
  });
  be.upload(answers.data(), out);
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
