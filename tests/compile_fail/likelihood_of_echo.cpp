// The divergence of the flow needs the Jacobian of the estimate.
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/metric/log_likelihood.hpp>
#include <softscore/operator/identity.hpp>

#include "support/draw.hpp"

#ifdef SOFTSCORE_TWIN
using estimator = differentiable_echo;
#else
using estimator = echo;
#endif

void run() {
  using namespace softscore;
  serial_backend be;
  const corruption noise{identity{}, variance_exploding{}};
  const auto x = be.make<double>({1, 1, 2, 2});
  log_likelihood(be, noise, estimator{}, uniform_grid(4), x.view(), white_density{});
}
