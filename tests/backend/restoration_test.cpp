// Methods for inverse problems, guidance, thresholding, and the likelihoods, where the host cannot touch the arrays:
// they have the bits of the serial backend, which does the work behind the door.
#include "catch.hpp"

#include <cmath>
#include <cstddef>
#include <vector>

#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/variance_preserving.hpp>
#include <softscore/denoiser/classifier_free.hpp>
#include <softscore/denoiser/classifier_guided.hpp>
#include <softscore/denoiser/edm_denoiser.hpp>
#include <softscore/denoiser/thresholding.hpp>
#include <softscore/metric/elbo.hpp>
#include <softscore/metric/log_likelihood.hpp>
#include <softscore/operator/box_downsampling.hpp>
#include <softscore/operator/centered_mask.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/sampler/ddrm.hpp>
#include <softscore/sampler/diffpir.hpp>
#include <softscore/sampler/dps.hpp>
#include <softscore/sampler/integrate.hpp>
#include <softscore/sampler/momentum.hpp>
#include <softscore/sampler/pigdm.hpp>
#include <softscore/sampler/projection.hpp>
#include <softscore/sampler/repaint.hpp>

#include "opaque_backend.hpp"
#include "random_batch.hpp"
#include "scripted_network.hpp"
#include "steady_denoiser.hpp"

using namespace softscore;

namespace {

const shape image{1, 1, 4, 4};
const corruption<scaling, variance_preserving> noise{scaling{},
                                                     variance_preserving{.rate_first = 0.5, .rate_last = 3.0}};

observation seen() {
  std::vector<double> values(3 * image.per_image());
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::sin(1.0 + static_cast<double>(i));
  return {image.with_images(3), values};
}

// The same numbers from `work(backend)` on either side of the door.
template <class Work>
void check_both(const Work& work) {
  serial_backend serial;
  opaque_backend opaque;
  const auto wanted = work(serial), found = work(opaque);
  REQUIRE(wanted.size() == found.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    CHECK(std::isfinite(wanted[i]));
    CHECK(wanted[i] == found[i]);
  }
}

template <class S, class D>
void check_drawn(const S& sampler, const D& denoiser) {
  check_both([&](auto& be) {
    const auto grid = uniform_grid(4, 1.0, 0.1);
    auto end = integrate(be, sampler, noise, denoiser, grid, draw_start<float>(be, noise, grid, image, {0, 3}, 3), 3);
    return values_of(be, end.x.view());
  });
}

// log p(c given x) = -|x|^2 / 2.
struct towards_zero {
  struct nothing {};
  template <Scalar T, class Be>
  nothing workspace(Be&, shape) const {
    return {};
  }
  template <class Be, Scalar T>
  void gradient(Be& be, const condition&, in_of<Be, T> x, out_of<Be, T> out, nothing&) const {
    be.combine(out, term_of<Be, T>{-1.0, x});
  }
};

}  // namespace

TEST_CASE("methods for inverse problems run behind the door", "[backend]") {
  const measurement blurred{gaussian_blur{.half_width = 2}, level{0.8}, 0.3};
  check_drawn(projection{blurred, seen()}, steady_denoiser{});
  check_drawn(diffpir{blurred, seen()}, steady_denoiser{});
  check_drawn(pigdm{blurred, seen()}, steady_denoiser{});
  check_drawn(dps{blurred, seen()}, steady_denoiser{});
  check_drawn(dps{blurred, seen(), 0.5, dps_scale::likelihood, momentum{}}, steady_denoiser{});
  check_drawn(repaint{measurement{centered_mask{}, level{2.0}}, seen(), 2}, steady_denoiser{});
  check_drawn(ddrm{blurred, seen()}, steady_denoiser{});
  check_drawn(ddrm{measurement{box_downsampling{}, level{1.0}}, seen()}, steady_denoiser{});
}

TEST_CASE("denoisers that wrap denoisers run behind the door", "[backend]") {
  check_drawn(momentum{}, classifier_free{steady_denoiser{}, steady_denoiser{}, 2.0});
  check_drawn(momentum{}, classifier_guided{steady_denoiser{}, noise, towards_zero{}, 0.5});
  check_drawn(momentum{}, static_thresholding{steady_denoiser{}});
  check_drawn(momentum{}, dynamic_thresholding{steady_denoiser{}, 80.0});
  check_drawn(momentum{}, edm_denoiser{scripted_network{image}, noise});
}

TEST_CASE("the bound and the likelihood run behind the door", "[backend]") {
  check_both([](auto& be) {
    const auto x = random_batch<double>(be, image.with_images(3), 1);
    const elbo_terms terms = elbo(be, noise, steady_denoiser{}, uniform_grid(5), x.view());
    std::vector<double> all;
    for (std::size_t i = 0; i < 3; ++i) all.push_back(terms.total(i));
    return all;
  });
  for (const trace_by trace : {trace_by::elements, trace_by::probes})
    check_both([&](auto& be) {
      const auto x = random_batch<double>(be, image.with_images(3), 1);
      return log_likelihood(be, noise, steady_denoiser{}, uniform_grid(3, 1.0, 0.1), x.view(), white_density{},
                            {.trace = trace, .probes = 2})
          .log_density;
    });
}
