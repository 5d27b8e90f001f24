// Under other default layouts of xtensor and Eigen images are what they are under their own: what is read and drawn,
// what goes through a view or a user's tensor, and what a matrix does to it.
#define XTENSOR_DEFAULT_LAYOUT ::xt::layout_type::column_major
#define XTENSOR_DEFAULT_TRAVERSAL ::xt::layout_type::column_major
#define EIGEN_DEFAULT_TO_ROW_MAJOR

#include <cstddef>
#include <filesystem>
#include <iostream>
#include <utility>

#include <softscore/softscore.hpp>
#if defined(SOFTSCORE_WITH_BLAS)
#include <softscore/operator/dense_matrix.hpp>
#endif

namespace {

using namespace softscore;

int failures = 0;
void expect(bool holds, const char* what) {
  if (holds) return;
  std::cout << "wrong: " << what << '\n';
  ++failures;
}

// Element k of the order images, channels, rows, columns is k.
template <class Tensor>
bool counts_up(const Tensor& t) {
  bool right = true;
  for (std::size_t n = 0, k = 0; n < t.shape(0); ++n)
    for (std::size_t c = 0; c < t.shape(1); ++c)
      for (std::size_t y = 0; y < t.shape(2); ++y)
        for (std::size_t x = 0; x < t.shape(3); ++x, ++k) right = right && t(n, c, y, x) == static_cast<float>(k);
  return right;
}

}  // namespace

int main(int count, char** arguments) {
  const std::filesystem::path folder = count > 1 ? arguments[1] : ".";
  const shape extent{2, 3, 4, 5};
  image_batch images = make_tensor(extent);
  const auto elements = as_view(images);
  for (std::size_t k = 0; k < elements.size(); ++k) elements[k] = static_cast<float>(k);
  expect(counts_up(images), "a tensor filled through its view");
  expect(counts_up(as_xtensor(elements)), "a view as a tensor");
  expect(counts_up(to_xtensor(elements)), "a copy of a view");

  // The user's own tensors are of the other layout, and assigning carries elements over by their indices.
  const xt::xtensor<float, 4> theirs = images;
  static_assert(!std::is_same_v<std::remove_const_t<decltype(theirs)>, image_batch>);
  expect(counts_up(theirs), "a tensor of the user's");
  const image_batch back = theirs;
  expect(counts_up(back), "a tensor of the user's, taken back");
  write_npy(folder / "layouts.npy", theirs);
  expect(counts_up(read_npy(folder / "layouts.npy")), "what write_npy was given");
  const xt::xtensor<float, 4> ramp = images / 255.0f;
  image_batch first = xt::view(ramp, xt::range(0, 1), xt::all(), xt::all(), xt::all());
  write_png(folder / "layouts.png", first);
  const image_batch read = 255.0f * read_png(folder / "layouts.png");
  bool same = true;
  for (std::size_t k = 0; k < read.size(); ++k) same = same && std::abs(read.data()[k] - static_cast<float>(k)) < 0.01f;
  expect(same, "what write_png was given");

  // A drawn image is the serial backend's own memory, element by element.
  serial_backend be;
  const corruption c{scaling{}, variance_preserving{}};
  const gaussian_denoiser d{c, Eigen::VectorXd::LinSpaced(6, -1.0, 1.0), 0.1 * Eigen::MatrixXd::Identity(6, 6),
                            shape{1, 1, 2, 3}};
  const auto drawn = sample(be, ddim{}, c, d, uniform_grid(20), {.images = 400, .seed = 1, .image = shape{1, 1, 2, 3}});
  // The mean over the images grows along the order of elements, as the distribution's does: its steps are 0.4, and the
  // error of a mean over 400 images is 0.016.
  double before = -2.0;
  bool grows = true;
  for (std::size_t y = 0; y < 2; ++y)
    for (std::size_t x = 0; x < 3; ++x) {
      double mean = 0.0;
      for (std::size_t n = 0; n < 400; ++n) mean += static_cast<double>(drawn.images(n, 0, y, x)) / 400.0;
      grows = grows && mean > before;
      before = mean;
    }
  expect(grows, "the order of a drawn image");

  // A V = U S of a matrix that is not symmetric, on images: A e_0 = e_1 and so on around.
  auto in = be.make<double>({1, 1, 1, 3}), modes = be.make<double>({1, 1, 1, 3}), out = be.make<double>({1, 1, 1, 3});
  for (std::size_t i = 0; i < 3; ++i) in.view()[i] = static_cast<double>(i + 1);
  Eigen::MatrixXd turn(3, 3);
  turn << 0, 0, 1, 1, 0, 0, 0, 1, 0;
  const dense_svd svd{turn};
  svd.to_modes<serial_backend, double>(be, std::as_const(in).view(), modes.view());
  for (std::size_t i = 0; i < 3; ++i) modes.view()[i] *= svd.values()[i];
  svd.measurement_from_modes<serial_backend, double>(be, std::as_const(modes).view(), out.view());
  bool turned = true;
  for (std::size_t i = 0; i < 3; ++i) turned = turned && std::abs(out.view()[(i + 1) % 3] - in.view()[i]) < 1e-12;
  expect(turned, "a matrix by its singular values");
#if defined(SOFTSCORE_WITH_BLAS)
  xt::xtensor<double, 2> theirs_too(xt::xtensor<double, 2>::shape_type{3, 3});
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t k = 0; k < 3; ++k)
      theirs_too(i, k) = turn(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(k));
  dense_matrix{theirs_too}.apply<serial_backend, double>(be, level{1.0}, std::as_const(in).view(), out.view());
  turned = true;
  for (std::size_t i = 0; i < 3; ++i) turned = turned && std::abs(out.view()[(i + 1) % 3] - in.view()[i]) < 1e-12;
  expect(turned, "a matrix of the user's");
#endif
  if (failures == 0) std::cout << "right\n";
  return failures == 0 ? 0 : 1;
}
