#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include <softscore/core/config.hpp>
#include <softscore/corruption/concept.hpp>
#include <softscore/denoiser/concept.hpp>
#include <softscore/denoiser/dense_signal.hpp>
#include <softscore/denoiser/seen_mixture.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The exact denoiser of a Gaussian mixture under any Gaussian corruption (textbook): the sum of the components'
/// estimates, each weighted by the component's probability given x_t. Its pullback, and the density and the score of
/// x_t, are exact too. C is dense here, as in gaussian_denoiser: an oracle for images of at most a few hundred
/// elements. It computes in `Real` on the host.
template <GaussianCorruption C, std::floating_point Real = double>
class mixture_denoiser {
 public:
  static constexpr int evaluations = 1;

  /// Throws `error` if the components' sizes differ from the image's or the weights do not sum to 1.
  mixture_denoiser(C corruption, gaussian_mixture distribution, shape image)
      : mixture_denoiser{std::move(corruption), std::vector<gaussian_mixture>{std::move(distribution)}, image} {}

  /// The distribution of clean image `image` of a run.
  const gaussian_mixture& distribution(std::uint64_t image = 0) const { return distributions_[place(image)]; }

  /// C_t as a d x d matrix.
  Eigen::MatrixX<Real> signal_matrix(diffusion_time t) const {
    return detail::dense_map(image_, [&](auto& be, auto units, auto columns) {
      corruption_.signal(be, per_image<diffusion_time>{t}, units, columns);
    });
  }

  /// The distribution of x_t, for image `image` of a run.
  gaussian_mixture marginal(diffusion_time t, std::uint64_t image = 0) const {
    const Eigen::MatrixX<Real> signal = signal_matrix(t);
    const double sigma = corruption_.sigma(t);
    gaussian_mixture seen = distribution(image);
    for (gaussian_component& c : seen) {
      c.mean = (signal * c.mean).eval();
      Eigen::MatrixX<Real> covariance = signal * c.covariance * signal.transpose();
      covariance.diagonal().array() += sigma * sigma;
      c.covariance = std::move(covariance);
    }
    return seen;
  }

  /// log p_t(x), for image `image` of a run.
  double log_density(diffusion_time t, const Eigen::VectorX<Real>& x, std::uint64_t image = 0) const {
    return seen_at(t, distribution(image)).log_density(x);
  }
  /// The gradient of log p_t(x), from the density. Tweedie's formula (Daras et al. 2022, Eq. 16) gives it from the
  /// estimate.
  Eigen::VectorX<Real> score(diffusion_time t, const Eigen::VectorX<Real>& x, std::uint64_t image = 0) const {
    return seen_at(t, distribution(image)).score(x);
  }
  /// The probability of each component given x_t = x.
  Eigen::VectorX<Real> responsibilities(diffusion_time t, const Eigen::VectorX<Real>& x,
                                        std::uint64_t image = 0) const {
    return seen_at(t, distribution(image)).responsibilities(x);
  }

  struct memory {
    std::vector<detail::basic_seen_mixture<Real>> seen;  // of the last estimate, one per image or one for all
    Eigen::MatrixX<Real> x;                              // its images, one per column
    diffusion_time at{-1.0};                             // if one time is shared: that time
    std::uint64_t first{};                               // the number of the first image
  };

  template <Scalar T, class Be>
  memory workspace(Be&, shape) const {
    return {};
  }

  template <class Be, Scalar T>
  void estimate(Be& be, const condition& q, in_of<Be, T> x, out_of<Be, T> out, memory& ws) const {
    prepare(q, x.extent().images, ws);
    ws.x.resize(eigen_index(image_.per_image()), eigen_index(x.extent().images));
    detail::map_images_on_host<T>(be, image_, x, out, [&](std::size_t i, const Eigen::VectorX<Real>& each) {
      ws.x.col(eigen_index(i)) = each;
      return seen(ws, i).estimate(each);
    });
  }

  template <class Be, Scalar T>
  void pullback(Be& be, const condition&, in_of<Be, T> v, out_of<Be, T> out, memory& ws) const {
    detail::map_images_on_host<T>(be, image_, v, out, [&](std::size_t i, const Eigen::VectorX<Real>& each) {
      return seen(ws, i).pullback(ws.x.col(eigen_index(i)), each);
    });
  }

  /// Writes log p_t(x) of every image of the batch to `host`.
  template <class Be, class T>
  void log_density(Be& be, const condition& q, out_of<Be, T> x, double* host, memory& ws) const {
    prepare(q, x.extent().images, ws);
    detail::each_image_on_host<std::remove_const_t<T>>(
        be, image_, x,
        [&](std::size_t i, const Eigen::VectorX<Real>& each) { host[i] = seen(ws, i).log_density(each); });
  }

 protected:
  // One distribution for all images of a run, or one for each.
  mixture_denoiser(C corruption, std::vector<gaussian_mixture> distributions, shape image)
      : corruption_{std::move(corruption)}, distributions_{std::move(distributions)}, image_{image.with_images(1)} {
    for (const gaussian_mixture& distribution : distributions_) check_mixture(distribution, image_.per_image());
  }

 private:
  std::size_t place(std::uint64_t image) const {
    if (distributions_.size() == 1) return 0;
    require(image < distributions_.size(), "number of the image", image,
            "below the number of distributions, where there are several");
    return static_cast<std::size_t>(image);
  }
  detail::basic_seen_mixture<Real> seen_at(diffusion_time t, const gaussian_mixture& distribution) const {
    return {distribution, signal_matrix(t), corruption_.sigma(t)};
  }
  static const detail::basic_seen_mixture<Real>& seen(const memory& ws, std::size_t i) {
    return ws.seen.size() == 1 ? ws.seen[0] : ws.seen[i];
  }

  void prepare(const condition& q, std::size_t images, memory& ws) const {
    const bool one = q.times.shared() && distributions_.size() == 1;
    if (q.times.shared() && ws.at == q.times[0] && ws.first == q.images.first && ws.seen.size() == (one ? 1 : images))
      return;
    ws.seen.clear();
    ws.first = q.images.first;
    ws.at = q.times.shared() ? q.times[0] : diffusion_time{-1.0};
    Eigen::MatrixX<Real> signal;
    for (std::size_t i = 0; i < (one ? 1 : images); ++i) {
      if (i == 0 || !q.times.shared()) signal = signal_matrix(q.times[i]);
      ws.seen.emplace_back(distribution(q.images.number(i)), signal, corruption_.sigma(q.times[i]));
    }
  }

  C corruption_;
  std::vector<gaussian_mixture> distributions_;
  shape image_;
};

}  // namespace softscore::inline SOFTSCORE_ABI
