// Cold diffusion's two samplers under D(x, t) = x + t u, u being the image's own: with any restorer, Algorithm 2 of
// Bansal et al. 2022 goes where it should, and their Algorithm 1, the naive sampler, goes where the restorer says.
#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/sampler/cold.hpp>
#include <softscore/sampler/integrate.hpp>
#include <softscore/sampler/naive_cold.hpp>

using namespace softscore;

namespace {

const shape pair{2, 1, 2, 3};

// D(x, t) = x + t u. The signal is the image itself.
struct pushed {
  using distribution = fixed_background;
  template <class Be, Scalar T>
  void signal(Be& be, per_image<diffusion_time>, in_of<Be, T> x, out_of<Be, T> out) const {
    be.combine(out, term_of<Be, T>{1.0, x});
  }
  template <class Be, Scalar T>
  void signal_adjoint(Be& be, per_image<diffusion_time> times, in_of<Be, T> x, out_of<Be, T> out) const {
    signal<Be, T>(be, times, x, out);
  }
  template <class Be, Scalar T>
  void corrupt(Be& be, per_image<diffusion_time> times, in_of<Be, T> clean, in_of<Be, T> u, out_of<Be, T> out) const {
    be.combine(out, term_of<Be, T>{1.0, clean}, term_of<Be, T>{times[0].value, u});
  }
  template <class Be, Scalar T>
  void draw_xi(Be& be, noise_key key, image_range images, out_of<Be, T> xi) const {
    be.normal(key, images, xi);
  }
  template <class Be, Scalar T>
  void start(Be& be, diffusion_time t, std::uint64_t seed, image_range images, out_of<Be, T> x,
             out_of<Be, T> xi) const {
    draw_xi<Be, T>(be, noise_key{.seed = seed, .stream = noise_stream::start}, images, xi);
    be.combine(x, term_of<Be, T>{t.value, xi});
  }
};
static_assert(BackgroundCorruption<pushed>);

// Answers every time with the same images, whatever it is shown: as bad as a restorer can be.
struct stubborn_denoiser {
  static constexpr int evaluations = 1;
  static double answer(std::size_t i) { return std::sin(3.0 + 5.0 * static_cast<double>(i)); }
  struct nothing {};
  template <Scalar T, class Be>
  nothing workspace(Be&, shape) const {
    return {};
  }
  template <class Be, class T, class Space>
  void estimate(Be&, const condition&, view<const T, Space>, view<T, Space> out, nothing&) const {
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<T>(answer(i));
  }
};

double clean(std::size_t i) { return std::cos(2.0 * static_cast<double>(i)); }
double push(std::size_t i) { return 0.5 - 0.1 * static_cast<double>(i); }

template <class S>
std::vector<double> drawn_by(const S& sampler, const time_grid& grid) {
  serial_backend be;
  start_point<serial_backend, double> from{be.make<double>(pair), be.make<double>(pair), {0, 2}};
  for (std::size_t i = 0; i < pair.size(); ++i) {
    from.xi.view()[i] = push(i);
    from.x.view()[i] = clean(i) + grid.start().value * push(i);
  }
  const auto end = integrate(be, sampler, pushed{}, stubborn_denoiser{}, grid, std::move(from), 0);
  std::vector<double> x(pair.size());
  be.download(end.x.view(), x.data());
  return x;
}

// The largest distance of the images drawn from `clean + s u`, and from the restorer's answer pushed as far.
template <class S>
std::pair<double, double> distances(const S& sampler, double end) {
  const std::vector<double> x = drawn_by(sampler, uniform_grid(50, 1.0, end));
  std::pair<double, double> largest{};
  for (std::size_t i = 0; i < x.size(); ++i) {
    largest.first = std::max(largest.first, std::abs(x[i] - (clean(i) + end * push(i))));
    largest.second = std::max(largest.second, std::abs(x[i] - (stubborn_denoiser::answer(i) + end * push(i))));
  }
  return largest;
}

}  // namespace

TEST_CASE("under D(x, t) = x + t u, cold is exact with any restorer, and the naive sampler believes it", "[sampler]") {
  for (const double end : {0.5, 0.02}) {
    const auto [cold_from_truth, cold_from_answer] = distances(cold{}, end);
    // 50 steps, each a few roundings of numbers below 2: at most 50 * 4 * 2^-53 * 2. An independent program measured
    // 3e-15.
    CHECK(cold_from_truth < 4.5e-14);
    CHECK(cold_from_answer > 1.0);
    const auto [naive_from_truth, naive_from_answer] = distances(naive_cold{}, end);
    CHECK(naive_from_truth > 1.0);
    // One rounding of a product and one of a sum below 2.
    CHECK(naive_from_answer <= 4.5e-16);
  }
}

TEST_CASE("both of cold diffusion's samplers end with the restorer's answer", "[sampler]") {
  for (std::size_t i = 0; i < pair.size(); ++i) {
    CHECK(drawn_by(cold{}, uniform_grid(5))[i] == stubborn_denoiser::answer(i));
    CHECK(drawn_by(naive_cold{}, uniform_grid(5))[i] == stubborn_denoiser::answer(i));
  }
}
