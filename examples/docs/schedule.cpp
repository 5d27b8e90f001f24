// Your own schedule: blur and noise rise together, both like a sine.
#include <cmath>
#include <iostream>
#include <numbers>

#include <softscore/corruption/corruption.hpp>
#include <softscore/operator/gaussian_blur.hpp>

// begin schedule
struct sine_schedule {
  double level_max{6.0}, sigma_max{0.2};

  softscore::level level_at(softscore::diffusion_time t) const {
    return softscore::level{level_max * std::sin(0.5 * std::numbers::pi * t.value)};
  }
  double sigma_at(softscore::diffusion_time t) const { return sigma_max * std::sin(0.5 * std::numbers::pi * t.value); }
};
static_assert(softscore::Schedule<sine_schedule>);
// end schedule

int main() {
  using namespace softscore;
  // begin use
  const corruption blurring{gaussian_blur{.half_width = 14}, sine_schedule{}};
  for (const double t : {0.0, 0.25, 0.5, 1.0})
    std::cout << "t " << t << "  level " << blurring.level_at(diffusion_time{t}).value << "  sigma "
              << blurring.sigma(diffusion_time{t}) << '\n';
  // end use
}
