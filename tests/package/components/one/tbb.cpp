#include <softscore/backend/tbb.hpp>

int main() {
  softscore::tbb_backend backend{2};
  auto x = backend.make<float>({2, 1, 5, 7});
  backend.normal(softscore::noise_key{1}, softscore::image_range{0, 2}, x.view());
  double squares[2];
  backend.dot(x.view(), x.view(), squares);
  return squares[0] > 0 && squares[1] > 0 ? 0 : 1;
}
