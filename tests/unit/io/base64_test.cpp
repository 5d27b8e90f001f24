#include <softscore/io/base64.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include "catch.hpp"

TEST_CASE("base 64 gives the test vectors of RFC 4648, section 10") {
  const auto encoded = [](const std::string& text) {
    return softscore::base64(std::vector<std::uint8_t>(text.begin(), text.end()));
  };
  CHECK(encoded("") == "");
  CHECK(encoded("f") == "Zg==");
  CHECK(encoded("fo") == "Zm8=");
  CHECK(encoded("foo") == "Zm9v");
  CHECK(encoded("foob") == "Zm9vYg==");
  CHECK(encoded("fooba") == "Zm9vYmE=");
  CHECK(encoded("foobar") == "Zm9vYmFy");
  const std::vector<std::uint8_t> high{0xFB, 0xFF, 0xBF};
  CHECK(softscore::data_uri("image/png", high) == "data:image/png;base64,+/+/");
}
