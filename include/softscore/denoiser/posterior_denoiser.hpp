#pragma once

#include <concepts>
#include <cstddef>
#include <utility>
#include <vector>

#include <softscore/core/config.hpp>
#include <softscore/denoiser/mixture_denoiser.hpp>
#include <softscore/operator/measurement.hpp>
#include <softscore/operator/observation.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Returns the matrix A of a measurement of images of that shape.
template <class Op>
Eigen::MatrixXd measurement_matrix(const measurement<Op>& how, const shape& image) {
  return detail::dense_map(image, [&](auto& be, auto units, auto columns) {
    how.template apply<serial_backend, double>(be, units, columns);
  });
}

/// The distribution of x_0 given y = A x_0 + sigma n, if x_0 has the distribution `prior` (Bayes' rule for normal
/// distributions). Each component has the mean m + G (y - A m) and the covariance S - G A S with G = S A^T (A S A^T +
/// sigma^2 I)^-1, and its weight is multiplied by its density at y. With sigma = 0, y must be a value that A can take.
template <std::floating_point Real = double>
gaussian_mixture posterior_distribution(const gaussian_mixture& prior, const Eigen::MatrixXd& a, double sigma,
                                        const Eigen::VectorXd& y) {
  const detail::basic_seen_mixture<Real> seen{prior, a, sigma};
  const Eigen::VectorX<Real> share = seen.responsibilities(y);
  gaussian_mixture distribution;
  for (std::size_t k = 0; k < prior.size(); ++k) {
    if (share[eigen_index(k)] == 0.0) continue;  // underflowed: too small a weight for a double
    const auto& part = seen.parts()[k];
    const Eigen::MatrixXd& s = prior[k].covariance;
    Eigen::MatrixX<Real> covariance = s - part.gain * a * s;
    covariance = (0.5 * (covariance + covariance.transpose())).eval();
    distribution.push_back({share[eigen_index(k)], part.estimate(y), std::move(covariance)});
  }
  return distribution;
}

/// E[x_0 given x_t and y], for a measurement y = A x_0 + n of data whose distribution is a Gaussian mixture or, with a
/// single component, normal. It is the exact denoiser of the distribution given y (textbook: Bayes' rule), which
/// `distribution(image)` returns. With it every sampler draws from the posterior; it is the oracle for methods for
/// inverse problems.
template <GaussianCorruption C>
class posterior_denoiser : public mixture_denoiser<C> {
 public:
  /// One distribution for each image of y. Throws `error` if the sizes disagree.
  template <class Op>
  posterior_denoiser(C corruption, const gaussian_mixture& prior, const measurement<Op>& how, const observation& y,
                     shape image)
      : mixture_denoiser<C>{std::move(corruption), distributions(prior, how, y, image), image} {}

 private:
  template <class Op>
  static std::vector<gaussian_mixture> distributions(const gaussian_mixture& prior, const measurement<Op>& how,
                                                     const observation& y, const shape& image) {
    how.check();
    check_mixture(prior, image.per_image());
    if (y.extent().with_images(1) != image.with_images(1))
      reject("extent of the observation", y.extent(), "that of the images");
    const Eigen::MatrixXd a = measurement_matrix(how, image);
    std::vector<gaussian_mixture> each;
    for (std::size_t i = 0; i < y.extent().images; ++i)
      each.push_back(posterior_distribution(prior, a, how.sigma, as_vector(y.of(i))));
    return each;
  }
};
template <class C, class Op>
posterior_denoiser(C, gaussian_mixture, measurement<Op>, observation, shape) -> posterior_denoiser<C>;

}  // namespace softscore::inline SOFTSCORE_ABI
