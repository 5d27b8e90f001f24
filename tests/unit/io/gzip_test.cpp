#include <softscore/io/gzip.hpp>

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "catch.hpp"
#include "pack_gzip.hpp"
#include "refusal.hpp"
#include "temporary_folder.hpp"

using softscore::read_plain_or_gzip;

namespace {

std::string text_of(const std::vector<std::uint8_t>& bytes) { return {bytes.begin(), bytes.end()}; }

// Long enough to be unpacked in several pieces, and not just one repeated byte.
std::string long_text() {
  std::string text;
  for (std::size_t i = 0; i < 120'000; ++i) text += std::to_string(i * i % 1009);
  return text;
}

}  // namespace

TEST_CASE("plain and gzip files read as the same bytes") {
  const temporary_folder folder;
  const std::string text = long_text();
  CHECK(text_of(read_plain_or_gzip(folder.put("plain", text))) == text);
  CHECK(text_of(read_plain_or_gzip(folder.put("packed", pack_gzip(text)))) == text);
  CHECK(read_plain_or_gzip(folder.put("nothing", "")).empty());
  CHECK(read_plain_or_gzip(folder.put("packed_nothing", pack_gzip(""))).empty());
  CHECK(text_of(read_plain_or_gzip(folder.put("two", pack_gzip("one, ") + pack_gzip("two")))) == "one, two");
}

TEST_CASE("a gzip file cut anywhere is refused") {
  const temporary_folder folder;
  const std::string packed = pack_gzip("a few words to pack, a few words to pack");
  for (std::size_t length = 2; length < packed.size(); ++length) {
    const auto path = folder.put("cut", packed.substr(0, length));
    CHECK_REFUSED(read_plain_or_gzip(path), "cut: the gzip stream is cut short, but it must be complete");
  }
}

TEST_CASE("a gzip file with a wrong byte in its data, checksum or length is refused") {
  const temporary_folder folder;
  const std::string packed = pack_gzip(long_text());
  for (const std::size_t at : {std::size_t{2}, packed.size() / 2, packed.size() - 7, packed.size() - 2}) {
    std::string wrong = packed;
    wrong[at] = static_cast<char>(wrong[at] ^ 0x55);
    CHECK_REFUSED(read_plain_or_gzip(folder.put("wrong.gz", wrong)), "wrong.gz: the gzip stream is");
  }
}

TEST_CASE("bytes behind a gzip file are refused") {
  const temporary_folder folder;
  const auto path = folder.put("longer", pack_gzip("text") + "more");
  CHECK_REFUSED(read_plain_or_gzip(path), "longer: the gzip stream is followed by other bytes");
}

TEST_CASE("a file that unpacks to more than the limit is refused before it is unpacked whole") {
  const temporary_folder folder;
  const auto path = folder.put("bomb", pack_gzip(std::string(std::size_t{1} << 24, '\0')));
  CHECK_REFUSED(read_plain_or_gzip(path, 100'000), "bomb: the unpacked size is over the limit");
  CHECK_REFUSED(read_plain_or_gzip(path, 10), "bomb: the size is");
  CHECK(read_plain_or_gzip(path, std::size_t{1} << 24).size() == std::size_t{1} << 24);
}

TEST_CASE("what is no readable file is refused with the reason") {
  const temporary_folder folder;
  CHECK_REFUSED(read_plain_or_gzip(folder / "none"), "none cannot be read: No such file or directory");
  CHECK_REFUSED(read_plain_or_gzip(folder.path()), "cannot be read: Is a directory");
  CHECK_REFUSED(read_plain_or_gzip("/dev/zero"), "/dev/zero cannot be read: it is not a regular file");
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK_REFUSED(read_plain_or_gzip(folder / "pipe"), "pipe cannot be read: it is not a regular file");
}

TEST_CASE("members of any length are one content, empty ones included") {
  const temporary_folder folder;
  const std::string text = long_text();
  std::string packed = pack_gzip("") + pack_gzip("a");
  for (std::size_t at = 0; at < text.size(); at += 50'000) packed += pack_gzip(text.substr(at, 50'000)) + pack_gzip("");
  CHECK(text_of(read_plain_or_gzip(folder.put("many", packed))) == "a" + text);
}

TEST_CASE("the head of a gzip file is read across members, as far as there is one") {
  const auto head_of = [](const std::string& packed) {
    std::uint8_t room[5];
    const std::vector<std::uint8_t> bytes(packed.begin(), packed.end());
    const auto head = softscore::gunzip_head(bytes, room);
    return std::string(head.begin(), head.end());
  };
  CHECK(head_of(pack_gzip("12") + pack_gzip("") + pack_gzip("3456")) == "12345");
  CHECK(head_of(pack_gzip("12345") + pack_gzip("6")) == "12345");
  CHECK(head_of(pack_gzip("") + pack_gzip("12")) == "12");
  CHECK(head_of(pack_gzip("12") + "no member") == "12");
  CHECK(head_of(pack_gzip("")).empty());
}
