#include "two_files.hpp"

#include <softscore/backend/tbb/backend.hpp>

using namespace softscore;

std::vector<float> normals_in_a_cuda_file(const noise_key& key, const shape& extent) {
  tbb_backend backend{2};
  auto z = backend.make<float>(extent);
  backend.normal(key, image_range{0, extent.images}, z.view());
  std::vector<float> numbers(extent.size());
  backend.download(z.view(), numbers.data());
  return numbers;
}

void throw_in_a_cuda_file() { throw error("a sentence"); }
