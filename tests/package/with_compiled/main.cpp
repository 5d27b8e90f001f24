// A sum on the installed library's kernels.
#include <cstdio>

#include <softscore/compiled.hpp>

int main() {
  using namespace softscore;
  compiled_backend backend{2};
  auto x = backend.make<float>({2, 1, 5, 7});
  backend.normal(noise_key{1}, image_range{0, 2}, x.view());
  double squares[2];
  backend.dot(x.view(), x.view(), squares);
  std::printf("%s\n", std::string{backend.instructions()}.c_str());
  return squares[0] > 0 && squares[1] > 0 ? 0 : 1;
}
