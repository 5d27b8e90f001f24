// A thread that waits for a parallel loop may begin another task that makes the same call: neither disturbs the other.
#include "catch.hpp"

#include <softscore/sampling.hpp>

#include "random_batch.hpp"
#include "stealing_backend.hpp"

using namespace softscore;

namespace {

template <class Op>
void operator_survives(const Op& op, double level_max) {
  stealing_backend maker;
  const auto x = random_batch<float>(maker, stolen_extent, 1);
  CHECK(survives_stealing([&](auto& be, double w, view<float, host_space> out) {
    const auto levels = up_to<level>(w * level_max);
    degradation<Op>::apply(op, be, each_of(levels), x.view(), out);
  }));
  CHECK(survives_stealing([&](auto& be, double w, view<float, host_space> out) {
    const auto levels = up_to<level>(w * level_max);
    degradation<Op>::adjoint(op, be, each_of(levels), x.view(), out);
  }));
  if constexpr (DifferentiableInLevel<Op>)
    CHECK(survives_stealing([&](auto& be, double w, view<float, host_space> out) {
      const auto levels = up_to<level>(w * level_max);
      degradation<Op>::derivative(op, be, each_of(levels), x.view(), out);
    }));
}

template <class C>
void corruption_survives(const C& c) {
  using be_t = stealing_backend;
  be_t maker;
  const auto x = random_batch<float>(maker, stolen_extent, 1), xi = random_batch<float>(maker, stolen_extent, 2);
  CHECK(survives_stealing([&](be_t& be, double t, view<float, host_space> out) {
    const auto times = up_to<diffusion_time>(t);
    c.template corrupt<be_t, float>(be, each_of(times), x.view(), xi.view(), out);
  }));
  CHECK(survives_stealing([&](be_t& be, double t, view<float, host_space> out) {
    const auto times = up_to<diffusion_time>(t);
    c.template signal<be_t, float>(be, each_of(times), x.view(), out);
  }));
  CHECK(survives_stealing([&](be_t& be, double t, view<float, host_space> out) {
    const auto times = up_to<diffusion_time>(t);
    c.template signal_adjoint<be_t, float>(be, each_of(times), x.view(), out);
  }));
  CHECK(survives_stealing([&](be_t& be, double t, view<float, host_space> out) {
    const noise_key key{.seed = static_cast<std::uint64_t>(1000.0 * t)};
    c.template draw_xi<be_t, float>(be, key, image_range{0, stolen_extent.images}, out);
  }));
  if constexpr (requires(be_t& be, view<float, host_space> out) {
                  c.template signal_derivative<be_t, float>(be, diffusion_time{0.5}, out, out);
                })
    CHECK(survives_stealing([&](be_t& be, double t, view<float, host_space> out) {
      const auto times = up_to<diffusion_time>(t);
      c.template signal_derivative<be_t, float>(be, each_of(times), x.view(), out);
    }));
}

}  // namespace

TEST_CASE("a task that a waiting thread takes up does not disturb an operator", "[operator]") {
  operator_survives(scaling{}, 2.0);
  operator_survives(gaussian_blur{.half_width = 8}, 4.0);
  operator_survives(dct_blur{}, 4.0);
  operator_survives(motion_blur{30.0}, 4.0);
  operator_survives(paced{scaling{}, 2.0}, 1.0);
  operator_survives(paced{dct_blur{}, 2.0}, 2.0);
  operator_survives(paced{dct_blur{}, 3.0} * fade{}, 1.0);
  operator_survives(side_by_side{paced{fade{}, 0.5}, scaling{}}, 1.0);
}

TEST_CASE("a task that a waiting thread takes up does not disturb a corruption", "[corruption]") {
  corruption_survives(corruption{scaling{}, variance_preserving{}});
  corruption_survives(corruption{dct_blur{}, variance_exploding{.sigma_min = 0.1, .sigma_max = 2, .level_max = 6}});
  corruption_survives(background_corruption{fade{}, severity{.level_max = 1.0}});
}
