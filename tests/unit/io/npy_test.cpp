#include <softscore/io/npy.hpp>

#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "catch.hpp"
#include "refusal.hpp"
#include "temporary_folder.hpp"

using softscore::image_batch;
using softscore::read_npy;
using softscore::write_npy;

namespace {

image_batch counted() {
  auto images = softscore::make_tensor({2, 3, 4, 5});
  for (std::size_t i = 0; i < images.size(); ++i) images.data()[i] = 0.25f * static_cast<float>(i) - 3.0f;
  return images;
}

// A file with this header and content; the length of the header is two bytes in version 1, else four.
std::string npy(const std::string& header, const std::string& content, int version = 1) {
  std::string file = "\x93NUMPY";
  file += static_cast<char>(version);
  file += '\0';
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i) file += static_cast<char>((header.size() >> (8 * i)) & 0xFFu);
  return file + header + content;
}
// The same with `floats` numbers behind the header.
std::string npy(const std::string& header, std::size_t floats) { return npy(header, std::string(4 * floats, '\0')); }

std::string header_of(const std::string& type, const std::string& order, const std::string& shape) {
  return "{'descr': '" + type + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }\n";
}

template <class T>
std::string bytes_of(const std::vector<T>& numbers) {
  std::string bytes(numbers.size() * sizeof(T), '\0');
  std::memcpy(bytes.data(), numbers.data(), bytes.size());
  return bytes;
}

std::vector<float> numbers_of(const image_batch& images) { return {images.data(), images.data() + images.size()}; }

}  // namespace

TEST_CASE("npy files carry images there and back") {
  const temporary_folder folder;
  const auto images = counted();
  write_npy(folder / "a.npy", images);
  CHECK((read_npy(folder / "a.npy") == images));
}

TEST_CASE("npy files are laid out as NumPy's format description says") {
  const temporary_folder folder;
  write_npy(folder / "a.npy", counted());
  const std::string file = content_of(folder / "a.npy");
  CHECK(file.substr(0, 10) == std::string{"\x93NUMPY\x01\x00\x76\x00", 10});
  CHECK(file.substr(10, 66) == "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3, 4, 5), } ");
  CHECK(file[127] == '\n');
  CHECK(file.size() == 128 + 4 * 120);  // the header fills 64-byte lines
  float second = 0;
  std::memcpy(&second, file.data() + 132, 4);
  CHECK(second == -2.75f);
}

TEST_CASE("npy headers may be spelled in other ways of Python") {
  const temporary_folder folder;
  const auto path = folder.put("a.npy", npy("{\"shape\":(1,1,2,3,),'fortran_order':False,'descr':'<f4'}\n", 6));
  CHECK(softscore::extent_of(read_npy(path)) == softscore::shape{1, 1, 2, 3});
}

TEST_CASE("other or hostile npy files are refused") {
  const temporary_folder folder;
  const auto refused = [&](const std::string& content) {
    return refusal([&] { read_npy(folder.put("bad.npy", content)); });
  };
  const auto with = header_of;
  using Catch::Matchers::ContainsSubstring;
  CHECK_THAT(refused(""), ContainsSubstring("bad.npy: the beginning is not NumPy's"));
  CHECK_THAT(refused("\x93NUMPY"), ContainsSubstring("the format is another"));
  for (const int version : {0, 4, -1}) {
    CHECK_THAT(refused(npy(with("<f4", "False", "(1, 1, 1, 1)"), "1234", version)),
               ContainsSubstring("the format is another, but it must be version 1.0, 2.0 or 3.0"));
  }
  CHECK_THAT(refused(std::string{"\x93NUMPY\x01\x01\x00\x00", 10}), ContainsSubstring("the format is another"));
  CHECK_THAT(refused(std::string{"\x93NUMPY\x02\x00\x00\x00", 10}),
             ContainsSubstring("the size is 10, but it must be at least 12"));
  CHECK_THAT(refused(std::string{"\x93NUMPY\x02\x00\xFF\xFF\xFF\xFF", 12}), ContainsSubstring("header is 4294967295"));
  CHECK_THAT(refused(std::string{"\x93NUMPY\x01\x00\xFF\xFF", 10}), ContainsSubstring("header is 65535"));
  for (const std::string type : {">f4", ">f8", "<f2", "<i8", "|i1", "|b1", "<u2", ""}) {
    CHECK_THAT(refused(npy(with(type, "False", "(1, 1, 1, 2)"), 4)),
               ContainsSubstring("the element type is " + type + ", but it must be <f4, <f8 or |u1"));
  }
  CHECK_THAT(refused(npy(with("<f4", "True", "(1, 1, 1, 2)"), 2)), ContainsSubstring("fortran_order is not False"));
  CHECK_THAT(refused(npy(with("<f4", "False", "(2,)"), 2)), ContainsSubstring("the shape is of 1 dimensions"));
  CHECK_THAT(refused(npy(with("<f4", "False", "()"), 1)), ContainsSubstring("the shape is of 0 dimensions"));
  CHECK_THAT(refused(npy(with("<f4", "False", "(1, 1, 1, 1, 2)"), 2)), ContainsSubstring("more than four"));
  CHECK_THAT(refused(npy(with("<f4", "False", "(1, 1, 2, 2)"), 3)), ContainsSubstring("the shape is 1 x 1 x 2 x 2"));
  CHECK_THAT(refused(npy(with("<f4", "False", "(1, 1, 2, 2)"), 5)), ContainsSubstring("the shape is 1 x 1 x 2 x 2"));
  CHECK_THAT(refused(npy(with("<f4", "False", "(0, 1, 2, 2)"), 1)), ContainsSubstring("the shape is 0 x 1 x 2 x 2"));
  CHECK_THAT(refused(npy(with("<f8", "False", "(1, 1, 2, 2)"), 4)), ContainsSubstring("the shape is 1 x 1 x 2 x 2"));
  CHECK_THAT(refused(npy(with("|u1", "False", "(1, 1, 2, 2)"), 4)), ContainsSubstring("the shape is 1 x 1 x 2 x 2"));
  // 2^16 * 2^16 * 2^16 * 2^16 = 2^64 wraps to 0 if it is multiplied without care.
  CHECK_THAT(refused(npy(with("<f4", "False", "(65536, 65536, 65536, 65536)"), 0)), ContainsSubstring("65536 x 65536"));
  CHECK_THAT(refused(npy(with("|u1", "False", "(0, 65536, 16777216, 16777216)"), 0)), ContainsSubstring("16777216 x"));
  CHECK_THAT(refused(npy(with("<f4", "False", "(99999999999999999999999, 1, 1, 1)"), 1)), ContainsSubstring("broken"));
  CHECK_THAT(refused(npy(with("<f4", "False", "(-1, 1, 1, 1)"), 1)), ContainsSubstring("the header is broken"));
  CHECK_THAT(refused(npy("{'descr': '<f4', 'shape': (1, 1, 1, 1)}\n", 1)), ContainsSubstring("the header is broken"));
  CHECK_THAT(refused(npy("{'descr': '<f4', 'descr': '<f4'}\n", 1)), ContainsSubstring("the header is broken"));
  CHECK_THAT(refused(npy("", 1)), ContainsSubstring("the header is broken"));
  CHECK_THAT(refused(npy("{'descr", 1)), ContainsSubstring("the header is broken"));
}

TEST_CASE("npy headers of every version are read") {
  const temporary_folder folder;
  const std::vector<float> numbers{0, 1, 2, 3, 4, 5};
  for (const int version : {1, 2, 3}) {
    const auto path = folder.put("a.npy", npy(header_of("<f4", "False", "(1, 2, 1, 3)"), bytes_of(numbers), version));
    const auto images = read_npy(path);
    CHECK(softscore::extent_of(images) == softscore::shape{1, 2, 1, 3});
    CHECK(numbers_of(images) == numbers);
  }
  // A header longer than two bytes can say.
  const std::string padded = header_of("<f4", "False", "(1, 2, 1, 3)") + std::string(70'000, ' ');
  CHECK(numbers_of(read_npy(folder.put("a.npy", npy(padded, bytes_of(numbers), 2)))) == numbers);
}

TEST_CASE("npy files of bytes are read as byte / 255 and those of float64 to the nearest float32") {
  const temporary_folder folder;
  for (const std::string type : {"|u1", "<u1", ">u1"}) {
    const auto path = folder.put("a.npy", npy(header_of(type, "False", "(1, 1, 2, 2)"), {"\x00\x01\x80\xFF", 4}));
    CHECK(numbers_of(read_npy(path)) == std::vector<float>{0.0f, 1.0f / 255.0f, 128.0f / 255.0f, 1.0f});
  }
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const auto doubles = [&](const std::vector<double>& numbers) {
    const std::string sides = "(1, 1, 1, " + std::to_string(numbers.size()) + ")";
    return folder.put("a.npy", npy(header_of("<f8", "False", sides), bytes_of(numbers)));
  };
  CHECK(numbers_of(read_npy(doubles({0.1, -3.0, 1e-300, 3e38, infinity, -infinity}))) ==
        std::vector<float>{0.1f, -3.0f, 0.0f, 3e38f, std::numeric_limits<float>::infinity(),
                           -std::numeric_limits<float>::infinity()});
  CHECK(std::isnan(read_npy(doubles({std::numeric_limits<double>::quiet_NaN()})).data()[0]));
  CHECK_REFUSED(read_npy(doubles({0.5, 1e300})), "a.npy: a number is 1e+300, but it must be in the range of float32");
}

TEST_CASE("empty npy files are read as they are written") {
  const temporary_folder folder;
  for (const softscore::shape extent : {softscore::shape{0, 3, 4, 5}, {2, 3, 0, 5}, {0, 0, 0, 0}}) {
    write_npy(folder / "a.npy", softscore::make_tensor(extent));
    CHECK(softscore::extent_of(read_npy(folder / "a.npy")) == extent);
  }
}

TEST_CASE("an npy file cut anywhere is refused") {
  const temporary_folder folder;
  write_npy(folder / "a.npy", counted());
  const std::string whole = content_of(folder / "a.npy");
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const auto path = folder.put("cut.npy", whole.substr(0, length));
    CHECK_REFUSED(read_npy(path), "cut.npy: the ");
  }
}
