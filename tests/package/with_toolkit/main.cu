#include <cstdio>
#include <vector>

#include <softscore/backend/cuda.hpp>

int main() {
  try {
    softscore::cuda_backend backend;
    auto array = backend.make<float>({2, 3, 4, 5});
    std::vector<float> host(120, 1.0f);
    backend.download(array.view(), host.data());
    return host == std::vector<float>(120) ? 0 : 1;
  } catch (const softscore::error& reason) {
    std::printf("%s\n", reason.what());  // without a device nothing more can be shown
    return 0;
  }
}
