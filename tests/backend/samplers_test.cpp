// Every sampler on every backend: those with one evaluation per step, Langevin's and cold diffusion's.
#include "catch.hpp"

#include <vector>

#include <softscore/corruption/background_corruption.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/severity.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/corruption/variance_preserving.hpp>
#include <softscore/denoiser/spectral_denoiser.hpp>
#include <softscore/operator/eraser.hpp>
#include <softscore/operator/fade.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/sampler/alternating.hpp>
#include <softscore/sampler/clipped_ddim.hpp>
#include <softscore/sampler/cold.hpp>
#include <softscore/sampler/ddim.hpp>
#include <softscore/sampler/ddpm.hpp>
#include <softscore/sampler/euler_maruyama.hpp>
#include <softscore/sampler/forward_euler_maruyama.hpp>
#include <softscore/sampler/langevin.hpp>
#include <softscore/sampler/learned_ddpm.hpp>
#include <softscore/sampler/mala.hpp>
#include <softscore/sampler/momentum.hpp>
#include <softscore/sampler/naive.hpp>
#include <softscore/sampler/naive_cold.hpp>
#include <softscore/sampler/predictor_corrector.hpp>
#include <softscore/sampler/probability_flow.hpp>
#include <softscore/sampler/reverse_diffusion.hpp>

#include "broken_denoiser.hpp"
#include "on_all_backends.hpp"
#include "refusal.hpp"

using namespace softscore;

namespace {

const corruption<scaling, variance_preserving> preserving{scaling{}, variance_preserving{}};
const corruption<fade, variance_exploding> fading{
    fade{}, variance_exploding{.sigma_min = 0.1, .sigma_max = 2.0, .level_max = 1.0}};

double third(diffusion_time) { return 1.0 / 3; }

}  // namespace

TEST_CASE("ancestral samplers draw the same on every backend", "[samplers]") {
  check_on_all_backends("ddpm", ddpm{}, preserving);
  check_on_all_backends("ddpm, smaller variance", ddpm{ancestral_variance::fixed_small}, preserving);
  check_on_all_backends("learned_ddpm", learned_ddpm{third}, preserving);
  check_on_all_backends("ddim", ddim{0.5}, fading);
  check_on_all_backends("clipped_ddim", clipped_ddim{0.5, {-0.5, 0.5}}, fading);
  check_on_all_backends("soft_ddim", soft_ddim{0.03}, fading);
  check_on_all_backends("naive", naive{}, fading);
  check_on_all_backends("momentum", momentum{}, fading);
  check_on_all_backends("probability_flow", probability_flow{}, fading);
  check_on_all_backends("alternating", alternating{}, fading);
  check_on_all_backends("reverse_diffusion", reverse_diffusion{}, preserving);
  check_on_all_backends("euler_maruyama", euler_maruyama{}, preserving);
}

TEST_CASE("a walk along the forward SDE is the same on every backend", "[samplers]") {
  const shape three{3, 1, 8, 6};
  const auto walk = [&](const auto& corruption) {
    return [&](auto be) {
      const auto clean = random_batch<float>(be, three, 1);
      auto x = be.template make<float>(three);
      forward_euler_maruyama(be, corruption, uniform_grid(6, 1.0, 0.1), clean.view(), {4, 3}, 3, x.view());
      return values_of(be, x.view());
    };
  };
  check_drawn_on_all_backends("a number times the image", walk(preserving));
  check_drawn_on_all_backends("a fade", walk(fading));
  check_drawn_on_all_backends("a fade, with an estimate", [&](auto be) {
    const auto clean = random_batch<float>(be, three, 1);
    auto x = be.template make<float>(three);
    forward_euler_maruyama(be, fading, steady_denoiser{}, uniform_grid(6, 1.0, 0.1), clean.view(), {4, 3}, 3, x.view());
    return values_of(be, x.view());
  });
}

TEST_CASE("Langevin's samplers draw the same on every backend", "[samplers]") {
  check_on_all_backends("predictor_corrector", predictor_corrector<>{}, fading);
  check_on_all_backends(
      "predictor_corrector, fixed length",
      predictor_corrector<reverse_diffusion, fixed_length, 2>{reverse_diffusion{}, fixed_length{1e-3}}, preserving);
  check_on_all_backends("annealed_langevin", annealed_langevin<3>{}, fading);
  check_on_all_backends("ula", ula{1e-3}, fading);
  // The density asks for an exact denoiser.
  const spectral_denoiser exact{preserving, std::vector<double>(48, 0.1), std::vector<double>(48, 0.5), {1, 1, 8, 6}};
  check_on_all_backends("mala", mala{1e-3}, preserving, exact);
}

TEST_CASE("cold diffusion's samplers draw the same on every backend", "[samplers]") {
  const background_corruption erasing{eraser{8, 6, 20}, severity{20.0}};
  check_on_all_backends("cold", cold{}, erasing);
  check_on_all_backends("cold under noise", cold{}, fading);
  check_on_all_backends("naive_cold", naive_cold{}, erasing);
}

namespace {

template <class Be>
void check_names_image(Be be) {
  const time_grid grid = uniform_grid(4);
  CHECK_REFUSED(integrate(be, ddim{}, fading, broken_denoiser{}, grid,
                          draw_start<float>(be, fading, grid, {1, 1, 8, 6}, {4, 3}, 1), 1),
                "size of a pixel in image 5 of the run is nan, but it must be finite");
}

}  // namespace

TEST_CASE("every backend names an image that is not finite", "[samplers]") {
  check_names_image(serial_backend{});
  check_names_image(opaque_backend{});
  check_names_image(device_under_test{});
#if !defined(__CUDACC__)
  check_names_image(tbb_backend{2});
#endif
}
