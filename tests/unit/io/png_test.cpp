#include <softscore/io/png.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <softscore/io/tiled.hpp>

#include "catch.hpp"
#include "png_files.hpp"
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

// The numbers of 255 that a PNG file's text reads as, which must be whole.
std::vector<int> levels(const std::string& file) {
  const auto image = softscore::decode_png(std::vector<std::uint8_t>(file.begin(), file.end()), "memory");
  std::vector<int> values;
  for (std::size_t i = 0; i < image.size(); ++i) {
    values.push_back(static_cast<int>(image.data()[i] * 255.0f + 0.5f));
    CHECK(image.data()[i] == static_cast<float>(values.back()) / 255.0f);
  }
  return values;
}

using numbers = std::vector<int>;

}  // namespace

TEST_CASE("gray and color PNG files carry whole 1/255 there and back exactly") {
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

TEST_CASE("what is no single gray or color image is not written") {
  const temporary_folder folder;
  CHECK_REFUSED(write_png(folder / "a.png", make_tensor({2, 1, 4, 4})), "PNG image is 2 x 1 x 4 x 4");
  CHECK_REFUSED(write_png(folder / "a.png", make_tensor({1, 2, 4, 4})), "PNG image is 1 x 2 x 4 x 4");
  CHECK_REFUSED(write_png(folder / "a.png", make_tensor({1, 1, 0, 4})), "PNG image is 1 x 1 x 0 x 4");
  CHECK_REFUSED(write_png("/dev/full", bytes_image(1)), "/dev/full cannot be written: No space left on device");
  CHECK(folder.entries() == 0);
}

TEST_CASE("a PNG file cut anywhere or damaged is refused") {
  const temporary_folder folder;
  write_png(folder / "a.png", bytes_image(3));
  const std::string whole = content_of(folder / "a.png");
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const auto path = folder.put("cut.png", whole.substr(0, length));
    CHECK_REFUSED(read_png(path), "cut.png: the ");
  }
  std::string wrong = whole;
  wrong[whole.size() / 2] = static_cast<char>(wrong[whole.size() / 2] ^ 0x55);
  CHECK_REFUSED(read_png(folder.put("wrong.png", wrong)), "wrong.png: the image data is damaged");
  CHECK_REFUSED(read_png(folder.put("text.png", "not a picture")), "text.png: the content is not an image");
  const std::string transparency = png_chunk("tRNS", png_bytes({0, 7}));
  std::string other = png_file({1, 1, 8, 0}, png_bytes({0, 7}), transparency);
  other[other.find("tRNS") + 5] ^= 1;  // without its checksum the pixel would silently show
  CHECK_REFUSED(read_png(folder.put("other.png", other)), "other.png: the content is not an image (tRNS: CRC error)");
}

TEST_CASE("damage behind the pixels of a PNG file, where texts may be, is no reason to refuse it") {
  std::string file = png_file({2, 1, 8, 0}, png_bytes({0, 7, 9}));
  std::string text = png_chunk("tEXt", "words");
  text.back() ^= 1;
  file.insert(file.size() - 12, text);
  CHECK(levels(file) == numbers{7, 9});
}

TEST_CASE("the reason why a PNG file is refused is in the sentence") {
  const temporary_folder folder;
  CHECK_REFUSED(read_png(folder.put("a.png", png_bytes({0xFF, 0xD8, 0xFF, 0xE0, 0, 16, 'J', 'F', 'I', 'F', 0, 1}))),
                "a.png: the content is not an image (Not a PNG file), but it must be a PNG file");
  std::string damaged = png_file({2, 2, 8, 0}, png_bytes({0, 1, 2, 0, 3, 4}));
  damaged[damaged.find("IDAT") + 8] ^= 1;
  CHECK_REFUSED(read_png(folder.put("a.png", damaged)), "a.png: the image data is damaged (");
  CHECK_THAT(refusal([&] { read_png(folder / "a.png"); }), !Catch::Matchers::ContainsSubstring("()"));
  CHECK_REFUSED(read_png(folder.put("a.png", damaged.substr(0, damaged.size() - 12))),
                "a.png: the image data is damaged (");
  const std::string whole = png_file({2, 2, 8, 0}, png_bytes({0, 1, 2, 0, 3, 4}));
  CHECK_REFUSED(read_png(folder.put("a.png", whole.substr(0, whole.size() - 1))),
                "a.png: the image data is damaged (the file is cut short), but it must be intact and complete");
  CHECK_REFUSED(read_png(folder.put("a.png", png_file({2, 2, 8, 0}, png_bytes({0, 1, 2})))),
                "a.png: the image data is damaged (Not enough image data)");
}

TEST_CASE("bytes after the end of a PNG file are left alone") {
  const std::string whole = png_file({4, 1, 8, 0}, png_bytes({0, 0, 64, 128, 255}));
  for (const std::string more : {"x", "more than a chunk of other bytes"}) {
    CHECK(levels(whole + more) == numbers{0, 64, 128, 255});
  }
  CHECK(levels(whole + std::string(1, '\0')) == numbers{0, 64, 128, 255});
  CHECK(levels(whole + whole) == numbers{0, 64, 128, 255});
}

TEST_CASE("16 bits of a PNG file become 8 by value / 257, to the nearest") {
  std::string lines;
  for (int y = 0; y < 256; ++y) {
    lines += '\0';
    for (int x = 0; x < 256; ++x) lines += png_bytes({y, x});
  }
  const auto read = levels(png_file({256, 256, 16, 0}, lines));
  REQUIRE(read.size() == 65536);
  std::size_t wrong = 0;
  for (int value = 0; value < 65536; ++value) wrong += read[static_cast<std::size_t>(value)] != (value + 128) / 257;
  CHECK(wrong == 0);
  CHECK(read[4096] == 16);
  // One pixel of color: 21845, 43690 and 65535 are a third, two thirds and all.
  CHECK(levels(png_file({1, 1, 16, 2}, png_bytes({0, 0x55, 0x55, 0xAA, 0xAA, 0xFF, 0xFF}))) == numbers{85, 170, 255});
}

TEST_CASE("fewer bits than 8 fill the range, and a palette gives its colors") {
  CHECK(levels(png_file({4, 1, 1, 0}, png_bytes({0, 0xA0}))) == numbers{255, 0, 255, 0});
  CHECK(levels(png_file({4, 1, 2, 0}, png_bytes({0, 0x1B}))) == numbers{0, 85, 170, 255});
  CHECK(levels(png_file({4, 1, 4, 0}, png_bytes({0, 0x01, 0x8F}))) == numbers{0, 17, 136, 255});
  const std::string palette = png_chunk("PLTE", png_bytes({10, 20, 30, 40, 50, 60}));
  CHECK(levels(png_file({2, 1, 8, 3}, png_bytes({0, 1, 0}), palette)) == numbers{40, 10, 50, 20, 60, 30});
  CHECK(levels(png_file({2, 1, 1, 3}, png_bytes({0, 0x40}), palette)) == numbers{10, 40, 20, 50, 30, 60});
}

TEST_CASE("transparent pixels of a PNG file are laid on black in stored values") {
  CHECK(levels(png_file({4, 1, 8, 4}, png_bytes({0, 200, 255, 200, 128, 200, 0, 255, 127}))) ==
        numbers{200, 100, 0, 127});
  CHECK(levels(png_file({1, 1, 8, 6}, png_bytes({0, 255, 200, 1, 64}))) == numbers{64, 50, 0});
  // 200 and 128 of 255, stored in 16 bits.
  CHECK(levels(png_file({1, 1, 16, 4}, png_bytes({0, 200, 200, 128, 128}))) == numbers{100});
  // A transparent gray, a transparent color, and alpha of a palette's second entry.
  const auto clear = [](std::initializer_list<int> values) { return png_chunk("tRNS", png_bytes(values)); };
  CHECK(levels(png_file({2, 1, 8, 0}, png_bytes({0, 7, 8}), clear({0, 7}))) == numbers{0, 8});
  CHECK(levels(png_file({2, 1, 2, 0}, png_bytes({0, 0x90}), clear({0, 2}))) == numbers{0, 85});
  CHECK(levels(png_file({2, 1, 8, 2}, png_bytes({0, 1, 2, 3, 1, 2, 4}), clear({0, 1, 0, 2, 0, 3}))) ==
        numbers{0, 1, 0, 2, 0, 4});
  const std::string palette = png_chunk("PLTE", png_bytes({10, 20, 30, 200, 50, 255}));
  CHECK(levels(png_file({2, 1, 8, 3}, png_bytes({0, 0, 1}), palette + clear({255, 128}))) ==
        numbers{10, 100, 20, 25, 30, 128});
}

TEST_CASE("gamma, profiles and other chunks of a PNG file change no sample") {
  const std::string line = png_bytes({0, 0, 64, 128, 200, 255});
  const numbers plain{0, 64, 128, 200, 255};
  const std::string gamma = png_chunk("gAMA", png_word(100'000));
  std::string broken = png_bytes({'p', 0, 0});
  CHECK(levels(png_file({5, 1, 8, 0}, line, gamma)) == plain);
  CHECK(levels(png_file({5, 1, 8, 0}, line, png_chunk("sRGB", png_bytes({0})) + gamma)) == plain);
  CHECK(levels(png_file({5, 1, 8, 0}, line, png_chunk("iCCP", broken + "no deflated profile"))) == plain);
  CHECK(levels(png_file({5, 1, 8, 0}, line, png_chunk("sBIT", png_bytes({4})))) == plain);
  CHECK(levels(png_file({5, 1, 8, 0}, line, png_chunk("tEXt", std::string{"Software\0x", 10}))) == plain);
  CHECK(levels(png_file({1, 1, 16, 0}, png_bytes({0, 16, 0}), gamma)) == numbers{16});
  CHECK(levels(png_file({1, 1, 8, 4}, png_bytes({0, 200, 128}), gamma)) == numbers{100});
}

TEST_CASE("an interlaced PNG file reads as the plain one") {
  // Where the seven passes of the format begin in x and y, and how far apart their pixels are.
  constexpr std::array<std::array<std::uint32_t, 4>, 7> passes{
      {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}}};
  constexpr std::uint32_t side = 9;
  const auto gray = [](std::uint32_t x, std::uint32_t y) { return static_cast<int>(y * side + x) * 3; };
  std::string lines;
  for (const auto& [left, top, across, down] : passes) {
    for (std::uint32_t y = top; y < side; y += down) {
      lines += '\0';
      for (std::uint32_t x = left; x < side; x += across) lines += png_bytes({gray(x, y)});
    }
  }
  numbers expected;
  for (std::uint32_t y = 0; y < side; ++y) {
    for (std::uint32_t x = 0; x < side; ++x) expected.push_back(gray(x, y));
  }
  CHECK(levels(png_file({side, side, 8, 0, true}, lines)) == expected);
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
