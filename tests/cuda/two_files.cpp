// The backend that nvcc compiles has other bodies than the one of the host's compiler. In one program both are there,
// and draw noise of the same bits.
#include "two_files.hpp"

#include <cstdio>

#include <softscore/backend/tbb/backend.hpp>

using namespace softscore;

int main() {
  const noise_key key{.seed = 5};
  const shape extent{3, 1, 23, 29};
  tbb_backend backend{2};
  auto z = backend.make<float>(extent);
  backend.normal(key, image_range{0, extent.images}, z.view());
  std::vector<float> numbers(extent.size());
  backend.download(z.view(), numbers.data());
  if (numbers != normals_in_a_cuda_file(key, extent)) {
    std::puts("failed: both files draw noise of the same bits");
    return 1;
  }
  try {
    throw_in_a_cuda_file();
  } catch (const error&) {
    return 0;
  }
  std::puts("failed: the error of the other file is caught");
  return 1;
}
