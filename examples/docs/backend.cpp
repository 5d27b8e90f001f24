// Your own backend: arrays in host memory, and std::thread instead of oneTBB.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iostream>
#include <thread>
#include <vector>

#include <softscore/backend/host_verbs.hpp>
#include <softscore/backend/serial/backend.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/two_stage.hpp>
#include <softscore/operator/gaussian_blur.hpp>

// begin model
class thread_backend : public softscore::host_verbs<thread_backend> {
 public:
  explicit thread_backend(std::size_t threads) : threads_{threads} {}

  /// Calls body(i) for i = 0 .. count - 1. Each thread takes a contiguous range.
  template <class Body>
  void parallel(std::size_t count, const Body& body) const {
    std::vector<std::jthread> team;
    for (std::size_t k = 0; k < threads_; ++k)
      team.emplace_back([&, k] {
        for (std::size_t i = count * k / threads_; i < count * (k + 1) / threads_; ++i) body(i);
      });
  }

 private:
  std::size_t threads_;
};
static_assert(softscore::Backend<thread_backend, float> && softscore::Backend<thread_backend, double> &&
              softscore::HostBackend<thread_backend>);
// end model

// begin same
// The blurred and noisy batch on any backend, as a vector on the host.
template <class Be>
std::vector<float> blurred_noise(Be& be) {
  using namespace softscore;
  const corruption blurring{gaussian_blur{.half_width = 5}, two_stage{}};
  const shape extent{8, 1, 12, 12};
  auto clean = be.template make<float>(extent), xi = be.template make<float>(extent),
       noisy = be.template make<float>(extent);
  be.normal(noise_key{.seed = 1}, {0, 8}, clean.view());
  blurring.draw_xi(be, noise_key{.seed = 2}, {0, 8}, xi.view());
  blurring.template corrupt<Be, float>(be, diffusion_time{0.6}, clean.view(), xi.view(), noisy.view());
  std::vector<float> result(extent.size());
  be.download(view_of<Be, const float>(noisy.view()), result.data());
  return result;
}

int main() {
  softscore::serial_backend serial;
  thread_backend threads{3};
  const auto one = blurred_noise(serial), other = blurred_noise(threads);
  float gap = 0.0f;
  for (std::size_t i = 0; i < one.size(); ++i) gap = std::max(gap, std::abs(one[i] - other[i]));
  std::cout << "the largest difference is " << gap << '\n';
  // Compilers round a * b + c once or twice, so two backends may differ by a rounding, 2^-24, in each of some 25
  // operations on numbers below 8.
  return gap < 1.2e-5f ? 0 : 1;
}
// end same
