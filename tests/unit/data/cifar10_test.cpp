#include <softscore/data/cifar10.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

#include "catch.hpp"
#include "pack_gzip.hpp"
#include "refusal.hpp"
#include "temporary_folder.hpp"

using softscore::read_cifar10;

namespace {

std::string records(std::size_t count) {
  std::string file;
  for (std::size_t r = 0; r < count; ++r) {
    file += static_cast<char>((r + 7) % 10);
    for (std::size_t i = 0; i < 3072; ++i) file += static_cast<char>((i * 7 + r) % 256);
  }
  return file;
}

}  // namespace

TEST_CASE("CIFAR-10 records become labels and RGB planes in [0, 1]") {
  const temporary_folder folder;
  const auto data = read_cifar10(folder.put("a.bin", records(3)));
  REQUIRE(data.extent() == softscore::shape{3, 3, 32, 32});
  CHECK(data.labels == std::vector<softscore::class_label>{7, 8, 9});
  CHECK(data.pixels(2, 0, 0, 1) == 9.0f / 255.0f);
  CHECK(data.pixels(1, 2, 3, 4) == static_cast<float>((2148 * 7 + 1) % 256) / 255.0f);  // 2148 = 2 1024 + 3 32 + 4
  const auto packed = read_cifar10(folder.put("a.bin.gz", pack_gzip(records(3))));
  CHECK((packed.pixels == data.pixels));
}

TEST_CASE("what is no whole number of CIFAR-10 records is refused") {
  const temporary_folder folder;
  CHECK_REFUSED(read_cifar10(folder.put("a", "")), "a: the length is 0, but it must be a positive multiple of 3073");
  CHECK_REFUSED(read_cifar10(folder.put("a", records(2).substr(1))), "a: the length is 6145");
  CHECK_REFUSED(read_cifar10(folder.put("a", records(2) + "x")), "a: the length is 6147");
  CHECK_REFUSED(read_cifar10(folder.put("a", pack_gzip(records(1)) + "x")), "followed by other bytes");
  std::string wrong = records(2);
  wrong[3073] = 10;
  CHECK_REFUSED(read_cifar10(folder.put("a", wrong)), "a: a label is 10, but it must be below 10");
}
