#include <vector>

#include <softscore/metric/psnr.hpp>

int main() {
  using namespace softscore;
  const std::vector<float> pixels(32, 0.5f), others(32, 0.4f);
  const shape extent{2, 1, 4, 4};
  const view<const float, host_space> x{pixels.data(), extent}, y{others.data(), extent};
  return psnr(x, y).size() == 2 ? 0 : 1;
}
