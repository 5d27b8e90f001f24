// Compares what the two parts of a pair compute, and passes them types that they share.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstring>

#include "part.hpp"

using namespace softscore;

namespace {
int failures = 0;

void check(bool holds, const char* what) {
  if (holds) return;
  std::printf("failed: %s\n", what);
  ++failures;
}
}  // namespace

int main() {
  const part_results a = first::compute(), b = second::compute();

  check(!a.noise.empty() && a.noise.size() == b.noise.size() &&
            std::memcmp(a.noise.data(), b.noise.data(), a.noise.size() * sizeof(float)) == 0,
        "both parts draw noise of the same bits");

  // Sums of at most 16 * 49 = 784 terms, in another order and with or without fused multiply-adds, differ by about the
  // root of their number times 6e-8 of their size: 2e-6. 1e-5 of an array's largest entry leaves room for the layers.
  check(!a.arrays.empty() && a.arrays.size() == b.arrays.size(), "both parts have as many arrays");
  for (std::size_t k = 0; k < std::min(a.arrays.size(), b.arrays.size()); ++k) {
    const std::vector<float>&one = a.arrays[k], &other = b.arrays[k];
    check(!one.empty() && one.size() == other.size(), "both parts have as many results");
    double largest = 0.0, difference = 0.0;
    for (std::size_t i = 0; i < std::min(one.size(), other.size()); ++i) {
      check(std::isfinite(one[i]) && std::isfinite(other[i]), "results are finite");
      largest = std::max(largest, std::abs(double{one[i]}));
      difference = std::max(difference, std::abs(double{one[i]} - double{other[i]}));
    }
    check(difference <= 1e-5 * largest, "both parts' networks agree within 1e-5");
    std::printf("array %zu: %zu results, largest difference %.2g of %.2g\n", k, one.size(), difference, largest);
  }

  check(first::catches(&second::throw_error) && second::catches(&first::throw_error),
        "each part catches the other's error");

  const shape extent{2, 1, 1, 3};
  const float values[6] = {0, 0, 0, 0, 0, 8};
  const level levels[2] = {level{1.0}, level{2.0}};
  const time_grid grid{{1.0, 0.5, 0.0}};
  const float want = 8.0f + 2.0f + 0.5f + 4.0f;
  const view<const float, host_space> view_of_values{values, extent};
  const per_image<level> each{std::span<const level>{levels}};
  check(first::last_element(extent, view_of_values, each, noise_key{4}, grid) == want &&
            second::last_element(extent, view_of_values, each, noise_key{4}, grid) == want,
        "both parts read shared types alike");
  const training_options options{.epochs = 3, .batch_size = 2};
  const data_set data{{make_tensor({4, 1, 2, 2}), {}}, {}};
  check(first::steps_of(options, data) == 6 && second::steps_of(options, data) == 6,
        "both parts read shared options and data alike");
  return failures == 0 ? 0 : 1;
}
