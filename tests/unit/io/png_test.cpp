#include <softscore/io/png.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <softscore/io/tiled.hpp>

#include "catch.hpp"
#include "refusal.hpp"
#include "temporary_folder.hpp"

using softscore::image_batch;
using softscore::make_tensor;
using softscore::read_png;
using softscore::write_png;

namespace {

// Every byte value occurs, in another order in each channel.
image_batch bytes_image(std::size_t channels) {
  auto image = make_tensor({1, channels, 16, 17});
  for (std::size_t i = 0; i < image.size(); ++i) image.data()[i] = static_cast<float>(i * 37 % 256) / 255.0f;
  return image;
}

}  // namespace

TEST_CASE("grey and colour PNG files carry whole 1/255 there and back exactly") {
  const temporary_folder folder;
  for (const std::size_t channels : {std::size_t{1}, std::size_t{3}}) {
    const auto image = bytes_image(channels);
    write_png(folder / "a.png", image);
    CHECK((read_png(folder / "a.png") == image));
    CHECK((softscore::decode_png(softscore::encode_png(image), "memory") == image));
  }
}

TEST_CASE("pixels are rounded to the nearest 1/255 and clipped") {
  auto image = make_tensor({1, 1, 1, 7});
  const float values[] = {-3.0f,
                          2.0f,
                          0.49f / 255.0f,
                          0.51f / 255.0f,
                          std::numeric_limits<float>::quiet_NaN(),
                          254.4f / 255.0f,
                          std::numeric_limits<float>::infinity()};
  for (std::size_t i = 0; i < 7; ++i) image.data()[i] = values[i];
  const auto read = softscore::decode_png(softscore::encode_png(image), "memory");
  const float expected[] = {0.0f, 255.0f, 0.0f, 1.0f, 0.0f, 254.0f, 255.0f};
  for (std::size_t i = 0; i < 7; ++i) CHECK(read.data()[i] == expected[i] / 255.0f);
}

TEST_CASE("what is no single grey or colour image is not written") {
  const temporary_folder folder;
  CHECK_REFUSED(write_png(folder / "a.png", make_tensor({2, 1, 4, 4})), "PNG image is 2 x 1 x 4 x 4");
  CHECK_REFUSED(write_png(folder / "a.png", make_tensor({1, 2, 4, 4})), "PNG image is 1 x 2 x 4 x 4");
  CHECK_REFUSED(write_png(folder / "a.png", make_tensor({1, 1, 0, 4})), "PNG image is 1 x 1 x 0 x 4");
  CHECK_REFUSED(write_png("/dev/full", bytes_image(1)), "/dev/full cannot be written: No space left on device");
  CHECK(folder.entries() == 0);
}

TEST_CASE("a PNG file cut anywhere, lengthened or damaged is refused") {
  const temporary_folder folder;
  write_png(folder / "a.png", bytes_image(3));
  const std::string whole = content_of(folder / "a.png");
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const auto path = folder.put("cut.png", whole.substr(0, length));
    CHECK_REFUSED(read_png(path), "cut.png: the ");
  }
  CHECK_REFUSED(read_png(folder.put("long.png", whole + "more")), "long.png: the last chunk is not IEND");
  std::string wrong = whole;
  wrong[whole.size() / 2] = static_cast<char>(wrong[whole.size() / 2] ^ 0x55);
  CHECK_REFUSED(read_png(folder.put("wrong.png", wrong)), "wrong.png: the image data is damaged");
  CHECK_REFUSED(read_png(folder.put("text.png", "not a picture")), "text.png: the content is not an image");
}

TEST_CASE("a PNG file that claims more pixels than it could hold is refused before they are given room") {
  const temporary_folder folder;
  write_png(folder / "a.png", bytes_image(1));
  std::string file = content_of(folder / "a.png");
  // Width and height 2^19 and a matching checksum of the header chunk.
  for (const std::size_t at : {std::size_t{16}, std::size_t{20}})
    file.replace(at, 4, std::string{"\x00\x08\x00\x00", 4});
  std::uint32_t crc = 0xFFFFFFFFu;
  for (std::size_t i = 12; i < 29; ++i) {
    crc ^= static_cast<std::uint8_t>(file[i]);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1u) != 0 ? 0xEDB88320u : 0u);
  }
  crc = ~crc;
  for (std::size_t i = 0; i < 4; ++i) file[29 + i] = static_cast<char>(crc >> (24 - 8 * i));
  CHECK_REFUSED(read_png(folder.put("huge.png", file)), "huge.png: the number of pixels is 274877906944");
}

TEST_CASE("tiles lie row by row with the gap between and around them") {
  auto images = make_tensor({3, 1, 2, 2});
  for (std::size_t i = 0; i < images.size(); ++i) images.data()[i] = static_cast<float>(i + 1);
  const auto grid = softscore::tiled(images, 2, 1, 0.0f);
  const std::vector<float> expected{0, 0,  0,  0, 0, 0,  //
                                    0, 1,  2,  0, 5, 6,  //
                                    0, 3,  4,  0, 7, 8,  //
                                    0, 0,  0,  0, 0, 0,  //
                                    0, 9,  10, 0, 0, 0,  //
                                    0, 11, 12, 0, 0, 0,  //
                                    0, 0,  0,  0, 0, 0};
  REQUIRE(softscore::extent_of(grid) == softscore::shape{1, 1, 7, 7});
  for (std::size_t y = 0; y < 7; ++y) {
    for (std::size_t x = 0; x < 6; ++x) CHECK(grid(0, 0, y, x) == expected[y * 6 + x]);
    CHECK(grid(0, 0, y, 6) == 0.0f);
  }
  CHECK(softscore::extent_of(softscore::tiled(images, 100, 0)) == softscore::shape{1, 1, 2, 6});
  CHECK_REFUSED(softscore::tiled(images, 0), "the number of columns is 0");
  CHECK_REFUSED(softscore::tiled(make_tensor({0, 1, 2, 2}), 4), "the images to tile is 0 x 1 x 2 x 2");
}
