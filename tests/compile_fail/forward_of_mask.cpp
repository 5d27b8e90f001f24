// The forward SDE follows dC_t/dt, which a mask does not have.
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/operator/centered_mask.hpp>
#include <softscore/operator/fade.hpp>
#include <softscore/sampler/forward_euler_maruyama.hpp>

#include "support/draw.hpp"

#ifdef SOFTSCORE_TWIN
using damage = softscore::fade;
#else
using damage = softscore::centered_mask;
#endif

void run() {
  using namespace softscore;
  serial_backend be;
  const corruption damaging{damage{}, variance_exploding{.level_max = 1.0}};
  auto clean = be.make<double>({1, 1, 2, 2}), x = be.make<double>({1, 1, 2, 2});
  forward_euler_maruyama(be, damaging, uniform_grid(4), clean.view(), {0, 1}, 0, x.view());
}
