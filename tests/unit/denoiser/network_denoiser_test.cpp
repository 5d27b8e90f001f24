#include <softscore/denoiser/network_denoiser.hpp>

#include "catch.hpp"

#include <cmath>
#include <span>
#include <vector>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/linear_beta.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/corruption/variance_preserving.hpp>
#include <softscore/denoiser/gaussian_denoiser.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/operator/scaling.hpp>

#include "gaussian_data.hpp"
#include "random_batch.hpp"
#include "refusal.hpp"
#include "scripted_network.hpp"

using namespace softscore;
using Catch::Matchers::WithinAbs;

namespace {
const shape extent{3, 1, 4, 4};
const corruption<scaling, variance_preserving> usual{scaling{}, variance_preserving{}};
const std::vector<diffusion_time> times{{0.9}, {0.5}, {0.1}};
const per_image<diffusion_time> each{std::span<const diffusion_time>{times}};

// The network's output by hand.
double phi(double x, double t) { return 0.5 * x + 0.25 * t - 0.125 * x * x; }

template <class D, class H>
void check_estimate(const D& denoiser, H h) {
  serial_backend be;
  const auto x = random_batch<double>(be, extent, 1), v = random_batch<double>(be, extent, 2);
  auto out = be.make<double>(extent), pulled = be.make<double>(extent);
  auto memory = denoiser.template workspace<double>(be, extent);
  const condition q{{0, 3}, each};
  denoiser.estimate(be, q, view<const double, host_space>(x.view()), out.view(), memory);
  denoiser.pullback(be, q, view<const double, host_space>(v.view()), pulled.view(), memory);
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t k = 0; k < 16; ++k) {
      const double at = x.view().image(i)[k], t = times[i].value, wanted = h(at, t);
      // A handful of roundings; the weights 1 / a reach 30.
      CHECK_THAT(out.view().image(i)[k], WithinAbs(wanted, 1e-13));
      // The pullback of a function of one element each, by a central difference: error h^2 f''' / 6 = 0 for squares,
      // and rounding 30 * 1e-16 / 1e-4.
      const double slope = (h(at + 1e-4, t) - h(at - 1e-4, t)) / 2e-4;
      CHECK_THAT(pulled.view().image(i)[k], WithinAbs(slope * v.view().image(i)[k], 1e-9));
    }
  CHECK(denoiser.image() == shape{1, 1, 4, 4});
}

}  // namespace

// x_0 - x_t (Daras et al. 2022), x_0 (Bansal et al. 2022), eps (Ho et al. 2020), v (Salimans and Ho 2022), the score.
TEST_CASE("each prediction gives its estimate of x_0", "[denoiser]") {
  const auto a = [](double t) { return usual.signal_gain(diffusion_time{t}); };
  const auto sigma = [](double t) { return usual.sigma(diffusion_time{t}); };
  check_estimate(residual_denoiser{scripted_network{}}, [](double x, double t) { return x + phi(x, t); });
  check_estimate(clean_denoiser{scripted_network{}}, [](double x, double t) { return phi(x, t); });
  check_estimate(epsilon_denoiser{scripted_network{}, usual},
                 [&](double x, double t) { return (x - sigma(t) * phi(x, t)) / a(t); });
  check_estimate(velocity_denoiser{scripted_network{}, usual},
                 [&](double x, double t) { return a(t) * x - sigma(t) * phi(x, t); });
  check_estimate(score_denoiser{scripted_network{}, usual},
                 [&](double x, double t) { return (x + sigma(t) * sigma(t) * phi(x, t)) / a(t); });
}

namespace {

const gaussian_denoiser oracle{preserving(), gaussian_mean(), gaussian_covariance(), gaussian_image};

// A network that has learned the score of Gaussian data: -V^-1 (x - a m), V the covariance of x_t.
struct learned_score {
  struct memory {
    std::vector<Eigen::MatrixXd> covariances;
  };
  shape image() const { return gaussian_image; }
  template <Scalar T, class Be>
  memory workspace(Be&, shape) const {
    return {};
  }
  template <class Be, class T, class Space>
  void evaluate(Be&, per_image<diffusion_time> at, view<const T, Space> x, view<T, Space> out, memory& ws) const {
    ws.covariances.clear();
    for (std::size_t i = 0; i < x.extent().images; ++i) {
      const auto [mean, covariance] = oracle.marginal(at[i]);
      ws.covariances.push_back(covariance);
      solve(covariance, x.image(i), mean, out.image(i));
    }
  }
  template <class Be, class T, class Space>
  void pullback(Be&, view<const T, Space> v, view<T, Space> out, memory& ws) const {
    for (std::size_t i = 0; i < v.extent().images; ++i)
      solve(ws.covariances[i], v.image(i), Eigen::VectorXd::Zero(6), out.image(i));
  }

 private:
  template <class In, class Out>
  static void solve(const Eigen::MatrixXd& covariance, const In& in, const Eigen::VectorXd& from, const Out& out) {
    const Eigen::VectorXd answer = -covariance.ldlt().solve(Eigen::Map<const Eigen::VectorXd>(&in[0], 6) - from);
    for (std::size_t k = 0; k < 6; ++k) out[k] = answer[static_cast<Eigen::Index>(k)];
  }
};

}  // namespace

TEST_CASE("from the score of Gaussian data the estimate and its pullback are the closed form's", "[denoiser]") {
  // From the score and from the data: (x + sigma^2 score) / a = m + S C^T (C S C^T + sigma^2 I)^-1 (x - C m), C = a I.
  serial_backend be;
  const shape three = gaussian_image.with_images(3);
  const score_denoiser denoiser{learned_score{}, preserving()};
  static_assert(decltype(denoiser)::predicts == prediction::score);
  const auto x = random_batch<double>(be, three, 1), v = random_batch<double>(be, three, 2);
  auto h = be.make<double>(three), wanted = be.make<double>(three);
  auto memory = denoiser.workspace<double>(be, three);
  auto of_oracle = oracle.workspace<double>(be, three);
  for (const condition& q : {condition{{0, 3}, each}, condition{{0, 3}, diffusion_time{0.3}}}) {
    denoiser.estimate(be, q, x.view(), h.view(), memory);
    oracle.estimate(be, q, x.view(), wanted.view(), of_oracle);
    // Both solve with covariances of condition below 100, on numbers of size 1; 1 / a is below 2.5.
    for (std::size_t i = 0; i < three.size(); ++i) CHECK_THAT(h.view()[i], WithinAbs(wanted.view()[i], 1e-12));
    denoiser.pullback(be, q, v.view(), h.view(), memory);
    oracle.pullback(be, q, v.view(), wanted.view(), of_oracle);
    for (std::size_t i = 0; i < three.size(); ++i) CHECK_THAT(h.view()[i], WithinAbs(wanted.view()[i], 1e-12));
  }
}

TEST_CASE("the predictions of one x_0 and one noise agree", "[denoiser]") {
  // x = a x_0 + sigma z: every parameterization returns x_0 from its own target.
  const double x_0 = 0.7, z = -1.3;
  for (const double time : {0.001, 0.4, 1.0}) {
    const diffusion_time t{time};
    const double a = usual.signal_gain(t), sigma = usual.sigma(t), x = a * x_0 + sigma * z;
    const auto estimate = [&](parameterization_weights w, double phi) { return w.of_input * x + w.of_output * phi; };
    CHECK_THAT(estimate(residual_parameterization{}.weights(t), x_0 - x), WithinAbs(x_0, 1e-15));
    CHECK_THAT(estimate(clean_parameterization{}.weights(t), x_0), WithinAbs(x_0, 1e-15));
    // 1 / a is 150 at time 1.
    CHECK_THAT(estimate(epsilon_parameterization{usual}.weights(t), z), WithinAbs(x_0, 1e-13));
    CHECK_THAT(estimate(velocity_parameterization{usual}.weights(t), a * z - sigma * x_0), WithinAbs(x_0, 1e-15));
    CHECK_THAT(estimate(score_parameterization{usual}.weights(t), -z / sigma), WithinAbs(x_0, 1e-13));
  }
}

TEST_CASE("predictions refuse times at which they say nothing", "[denoiser]") {
  struct no_signal_left {
    level level_at(diffusion_time t) const { return level{t.value == 1.0 ? HUGE_VAL : t.value}; }
    double sigma_at(diffusion_time t) const { return t.value; }
  };
  const corruption vanishing{scaling{}, no_signal_left{}};
  const epsilon_denoiser of_noise{scripted_network{}, vanishing};
  CHECK_NOTHROW(of_noise.check(diffusion_time{0.9}));
  CHECK_REFUSED(of_noise.check(diffusion_time{1.0}),
                "the signal's gain under an epsilon prediction is 0, but it must be above 0");
  CHECK_REFUSED(score_denoiser(scripted_network{}, vanishing).check(diffusion_time{1.0}),
                "the signal's gain under a score prediction is 0, but it must be above 0");
  const velocity_denoiser of_velocity{scripted_network{}, corruption{identity{}, variance_exploding{.sigma_max = 1.0}}};
  CHECK_REFUSED(of_velocity.check(diffusion_time{1.0}),
                "a^2 + sigma^2 under a velocity prediction is 2, but it must be 1");
}
