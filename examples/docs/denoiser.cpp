// A denoiser in closed form: every pixel is 0 or 1 with equal probability and the noise is known, so E[x_0 given x_t]
// is a logistic function of x_t.
#include <cmath>
#include <iostream>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/sampler/integrate.hpp>
#include <softscore/sampler/momentum.hpp>

// begin model
/// For x_t = x_0 + sigma z: P(x_0 = 1 given x_t = x) = 1 / (1 + exp((1 - 2x) / (2 sigma^2))).
template <class C>
struct coin_denoiser {
  static constexpr int evaluations = 1;
  const C& corruption;

  struct nothing {};
  template <softscore::Scalar T, class Be>
  nothing workspace(Be&, softscore::shape) const {
    return {};
  }

  struct logistic {
    double sigma;
    template <class T>
    SOFTSCORE_HD void operator()(T& h, const T& x) const {
      h = T{1} / (T{1} + std::exp((T{1} - T{2} * x) / static_cast<T>(2.0 * sigma * sigma)));
    }
  };
  template <class Be, softscore::Scalar T>
  void estimate(Be& be, const softscore::condition& asked, softscore::in_of<Be, T> x, softscore::out_of<Be, T> out,
                nothing&) const {
    be.for_each(logistic{corruption.sigma(asked.times[0])}, out, x);
  }
};
// end model

int main() {
  using namespace softscore;
  // begin use
  serial_backend be;
  const corruption noise{identity{}, variance_exploding{.sigma_min = 0.02, .sigma_max = 20.0}};
  const coin_denoiser<std::remove_const_t<decltype(noise)>> denoiser{noise};
  static_assert(Denoiser<decltype(denoiser), serial_backend, float>);

  const auto grid = uniform_grid(200);
  const image_range images{0, 10};
  auto coins = integrate(be, momentum{}, noise, denoiser, grid,
                         draw_start<float>(be, noise, grid, {1, 1, 32, 32}, images, 7), 7);
  // end use
  std::size_t ones = 0, decided = 0;
  for (std::size_t i = 0; i < coins.x.view().size(); ++i) {
    const float x = coins.x.view()[i];
    ones += x > 0.5f;
    decided += x < 0.01f || x > 0.99f;
  }
  const auto count = static_cast<double>(coins.x.view().size());
  const double heads = static_cast<double>(ones) / count, sure = static_cast<double>(decided) / count;
  std::cout << "heads " << heads << ", decided " << sure << ", evaluations " << coins.nfe << '\n';
  // The start leaves out the mean of the data, 0.5 under a noise of 20, which moves the share by at most the mass of a
  // normal distribution between 0 and 0.5 / 20, 0.01; five standard errors of 10240 coins are 0.025.
  return std::abs(heads - 0.5) < 0.035 && sure > 0.99 ? 0 : 1;
}
