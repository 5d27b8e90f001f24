#include <softscore/io/npy.hpp>

#include <cstddef>
#include <cstring>
#include <string>

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

// A file with this header, behind which `floats` numbers lie.
std::string npy(const std::string& header, std::size_t floats) {
  std::string file{"\x93NUMPY\x01\x00", 8};
  file += static_cast<char>(header.size() % 256);
  file += static_cast<char>(header.size() / 256);
  return file + header + std::string(4 * floats, '\0');
}

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

TEST_CASE("npy headers may be spelt in other ways of Python") {
  const temporary_folder folder;
  const auto path = folder.put("a.npy", npy("{\"shape\":(1,1,2,3,),'fortran_order':False,'descr':'<f4'}\n", 6));
  CHECK(softscore::extent_of(read_npy(path)) == softscore::shape{1, 1, 2, 3});
}

TEST_CASE("other or hostile npy files are refused") {
  const temporary_folder folder;
  const auto refused = [&](const std::string& content) {
    return refusal([&] { read_npy(folder.put("bad.npy", content)); });
  };
  const auto with = [](const std::string& type, const std::string& order, const std::string& shape) {
    return "{'descr': '" + type + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }\n";
  };
  using Catch::Matchers::ContainsSubstring;
  CHECK_THAT(refused(""), ContainsSubstring("bad.npy: the beginning is not NumPy's"));
  CHECK_THAT(refused("\x93NUMPY"), ContainsSubstring("the format is another"));
  CHECK_THAT(refused(std::string{"\x93NUMPY\x02\x00\x00\x00\x00\x00", 12}), ContainsSubstring("the format is another"));
  CHECK_THAT(refused(std::string{"\x93NUMPY\x01\x00\xFF\xFF", 10}), ContainsSubstring("header is 65535"));
  CHECK_THAT(refused(npy(with("<f8", "False", "(1, 1, 1, 2)"), 4)), ContainsSubstring("the element type is <f8"));
  CHECK_THAT(refused(npy(with(">f4", "False", "(1, 1, 1, 2)"), 2)), ContainsSubstring("the element type is >f4"));
  CHECK_THAT(refused(npy(with("<f4", "True", "(1, 1, 1, 2)"), 2)), ContainsSubstring("fortran_order is not False"));
  CHECK_THAT(refused(npy(with("<f4", "False", "(2,)"), 2)), ContainsSubstring("the shape is of 1 dimensions"));
  CHECK_THAT(refused(npy(with("<f4", "False", "()"), 1)), ContainsSubstring("the shape is of 0 dimensions"));
  CHECK_THAT(refused(npy(with("<f4", "False", "(1, 1, 1, 1, 2)"), 2)), ContainsSubstring("more than four"));
  CHECK_THAT(refused(npy(with("<f4", "False", "(1, 1, 2, 2)"), 3)), ContainsSubstring("the shape is 1 x 1 x 2 x 2"));
  CHECK_THAT(refused(npy(with("<f4", "False", "(1, 1, 2, 2)"), 5)), ContainsSubstring("the shape is 1 x 1 x 2 x 2"));
  CHECK_THAT(refused(npy(with("<f4", "False", "(0, 1, 2, 2)"), 0)), ContainsSubstring("the shape is 0 x 1 x 2 x 2"));
  // 2^16 * 2^16 * 2^16 * 2^16 = 2^64 wraps to 0 if it is multiplied without care.
  CHECK_THAT(refused(npy(with("<f4", "False", "(65536, 65536, 65536, 65536)"), 0)), ContainsSubstring("65536 x 65536"));
  CHECK_THAT(refused(npy(with("<f4", "False", "(99999999999999999999999, 1, 1, 1)"), 1)), ContainsSubstring("broken"));
  CHECK_THAT(refused(npy(with("<f4", "False", "(-1, 1, 1, 1)"), 1)), ContainsSubstring("the header is broken"));
  CHECK_THAT(refused(npy("{'descr': '<f4', 'shape': (1, 1, 1, 1)}\n", 1)), ContainsSubstring("the header is broken"));
  CHECK_THAT(refused(npy("{'descr': '<f4', 'descr': '<f4'}\n", 1)), ContainsSubstring("the header is broken"));
  CHECK_THAT(refused(npy("", 1)), ContainsSubstring("the header is broken"));
  CHECK_THAT(refused(npy("{'descr", 1)), ContainsSubstring("the header is broken"));
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
