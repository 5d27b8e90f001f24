#include <softscore/data/idx.hpp>
#include <softscore/io/npy.hpp>
#include <softscore/io/png.hpp>

int main() try {
  using namespace softscore;
  auto images = make_tensor({1, 1, 4, 4});
  images.fill(1.0f);
  write_png("image.png", images);
  return read_png("image.png") == images && read_plain_or_gzip("image.png").size() > 8 ? 0 : 1;
} catch (const softscore::error&) {
  return 2;
}
