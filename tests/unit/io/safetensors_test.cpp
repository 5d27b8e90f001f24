#include <softscore/io/safetensors.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "refusal.hpp"
#include "temporary_folder.hpp"

using softscore::named_tensor;
using softscore::read_safetensors;
using softscore::safetensors_file;
using softscore::write_safetensors;

namespace {

std::string file_of(const std::string& header, const std::string& data, std::uint64_t length) {
  std::string file(8, '\0');
  std::memcpy(file.data(), &length, 8);
  return file + header + data;
}
std::string file_of(const std::string& header, const std::string& data) { return file_of(header, data, header.size()); }

// One entry of a header.
std::string entry(const std::string& name, const std::string& type, const std::string& extent, std::size_t begin,
                  std::size_t end) {
  return "\"" + name + "\":{\"dtype\":\"" + type + "\",\"shape\":" + extent + ",\"data_offsets\":[" +
         std::to_string(begin) + "," + std::to_string(end) + "]}";
}

}  // namespace

TEST_CASE("safetensors carry every type, shape and string there and back") {
  const temporary_folder folder;
  const std::vector<float> weights{
      1.5f, -0.0f, std::numeric_limits<float>::denorm_min(), std::numeric_limits<float>::infinity(), 3e38f, -7.25f};
  const std::vector<double> losses{0.1, 1e-300};
  const std::vector<std::int64_t> counts{-1, std::numeric_limits<std::int64_t>::min()};
  const std::vector<std::uint64_t> seeds{std::numeric_limits<std::uint64_t>::max()};
  const std::vector<std::uint8_t> bytes{0, 255, 7};
  write_safetensors(folder / "a",
                    {named_tensor{"bytes", {3}, bytes}, named_tensor{"conv.weight", {2, 3}, weights},
                     named_tensor{"losses", {2}, losses}, named_tensor{"counts", {2, 1}, counts},
                     named_tensor{"scalar", {}, seeds}, named_tensor{"none", {0, 4}, std::vector<float>{}}},
                    {{"format", "pt"}, {"text", "quote \" backslash \\ newline \n \xC3\xA9"}});
  const auto file = read_safetensors(folder / "a");
  CHECK(file.names() == std::vector<std::string>{"bytes", "conv.weight", "counts", "losses", "none", "scalar"});
  const auto read = file.tensor<float>("conv.weight", {2, 3});
  CHECK(std::memcmp(read.data(), weights.data(), sizeof(float) * 6) == 0);
  CHECK(file.tensor<double>("losses") == losses);
  CHECK(file.tensor<std::int64_t>("counts", {2, 1}) == counts);
  CHECK(file.tensor<std::uint64_t>("scalar", std::initializer_list<std::size_t>{}) == seeds);
  CHECK(file.tensor<std::uint8_t>("bytes") == bytes);
  CHECK(file.tensor<float>("none", {0, 4}).empty());
  CHECK(file.metadata("text") == "quote \" backslash \\ newline \n \xC3\xA9");
  CHECK_FALSE(file.find_metadata("other").has_value());
  CHECK(file.contains("losses"));
  CHECK_FALSE(file.contains("conv"));

  std::vector<float> room(6);
  const std::vector<std::size_t> extent{2, 3};
  file.tensor_into<float>("conv.weight", extent, room);
  CHECK(room[5] == -7.25f);
}

TEST_CASE("what is asked of a safetensors file but is not there is named") {
  const temporary_folder folder;
  write_safetensors(folder / "a", {named_tensor{"w", {2}, std::vector<float>{1, 2}}});
  const auto file = read_safetensors(folder / "a");
  CHECK_REFUSED(file.tensor<float>("v"), "a must have a tensor v, but has not");
  CHECK_REFUSED(file.tensor<double>("w"), "a: the type of the tensor w is F32, but it must be F64");
  CHECK_REFUSED(file.tensor<float>("w", {1, 2}), "a: the shape of the tensor w is [2], but it must be [1, 2]");
  CHECK_REFUSED(file.metadata("step"), "a must have the metadata step, but has not");
}

TEST_CASE("the bytes of a safetensors file depend on its content alone, wide types first and aligned") {
  const temporary_folder folder;
  const std::vector<float> w{1};
  const std::vector<double> v{2};
  for (const char* name : {"a", "b"}) {
    write_safetensors(folder / name, {named_tensor{"w", {1}, w}, named_tensor{"v", {1}, v}}, {{"k", "x"}});
  }
  const std::string file = content_of(folder / "a");
  CHECK(file == content_of(folder / "b"));
  std::uint64_t length = 0;
  std::memcpy(&length, file.data(), 8);
  CHECK(length % 8 == 0);
  const std::string header =
      "{\"__metadata__\":{\"k\":\"x\"}," + entry("v", "F64", "[1]", 0, 8) + "," + entry("w", "F32", "[1]", 8, 12) + "}";
  CHECK_THAT(file.substr(8, length), Catch::Matchers::ContainsSubstring("\"v\":{\"dtype\":\"F64\""));
  CHECK(file.substr(8, header.size()) == header);
  CHECK(file.size() == 8 + length + 12);
}

TEST_CASE("the header of a safetensors file is fixed to the byte") {
  const temporary_folder folder;
  write_safetensors(folder / "a",
                    {named_tensor{"w\x01\x1F\x7F/\"", {2, 1}, std::vector<float>{1, 2}},
                     named_tensor{"\xC3\xA9", {}, std::vector<std::int64_t>{1}}},
                    {{"a", "\\ \b\f\n\r\t"}, {std::string(1, '\0'), ""}});
  const std::string header = "{\"__metadata__\":{\"\\u0000\":\"\",\"a\":\"\\\\ \\b\\f\\n\\r\\t\"}," +
                             entry("\xC3\xA9", "I64", "[]", 0, 8) + "," +
                             entry("w\\u0001\\u001f\x7F/\\\"", "F32", "[2,1]", 8, 16) + "}";
  CHECK(content_of(folder / "a").substr(8, header.size()) == header);
  const auto file = read_safetensors(folder / "a");
  CHECK(file.metadata(std::string(1, '\0')).empty());
  CHECK(file.tensor<float>("w\x01\x1F\x7F/\"") == std::vector<float>{1, 2});
}

TEST_CASE("a layout of another writer is read: any order, padding, types we do not use, odd offsets") {
  const temporary_folder folder;
  const std::string header = "{ \"b\" : { \"data_offsets\" : [ 3 , 7 ] , \"shape\" : [ 1 ] , \"dtype\" : \"F32\" } , " +
                             entry("a", "I8", "[3]", 0, 3) + ", " + entry("h", "BF16", "[2,0]", 7, 7) + "}   ";
  float number = 2.5f;
  std::string data(7, 'x');
  std::memcpy(data.data() + 3, &number, 4);
  const auto file = read_safetensors(folder.put("a", file_of(header, data)));
  CHECK(file.tensor<float>("b", {1})[0] == 2.5f);
  CHECK(file.type("h") == "BF16");
  CHECK(read_safetensors(folder.put("empty", file_of("{}", ""))).names().empty());
}

TEST_CASE("a tensor of a type that is not used leaves the others readable") {
  const temporary_folder folder;
  std::string data(8, 'x');
  const std::vector<float> numbers{1.5f, -2.0f};
  data.append(reinterpret_cast<const char*>(numbers.data()), 8);
  // Types that the format has beside ours, and two that it has not.
  const std::pair<std::string, std::string> types[] = {
      {"C64", "[1]"},         {"F8_E8M0", "[8]"},     {"F8_E4M3", "[8]"},       {"F8_E5M2", "[2,4]"},
      {"F8_E4M3FNUZ", "[8]"}, {"F8_E5M2FNUZ", "[8]"}, {"F4", "[2,8]"},          {"F6_E2M3", "[8]"},
      {"BF16", "[4]"},        {"F16", "[4]"},         {"not there yet", "[3]"}, {"", "[]"}};
  for (const auto& [type, extent] : types) {
    const std::string header = "{" + entry("other", type, extent, 0, 8) + "," + entry("a", "F32", "[2]", 8, 16) + "}";
    const auto file = read_safetensors(folder.put("a", file_of(header, data)));
    CHECK(file.tensor<float>("a", {2}) == numbers);
    CHECK(file.names() == std::vector<std::string>{"a", "other"});
    CHECK(file.type("other") == type);
    CHECK_REFUSED(file.tensor<float>("other"), "a: the type of the tensor other is " + type + ", but it must be F32");
  }
}

TEST_CASE("null metadata, fields that are not known, leading blanks and many dimensions are read") {
  const temporary_folder folder;
  const std::vector<float> numbers{1.5f};
  const std::string data(reinterpret_cast<const char*>(numbers.data()), 4);
  const auto read = [&](const std::string& header) {
    const auto file = read_safetensors(folder.put("a", file_of(header, data)));
    CHECK(file.tensor<float>("a") == numbers);
    CHECK(file.names().size() == 1);
    return file;
  };
  const std::string plain = entry("a", "F32", "[1]", 0, 4);
  CHECK(read("{\"__metadata__\":null," + plain + "}").all_metadata().empty());
  read("{" + plain + ",\"__metadata__\" : null }");
  read(" \t\r\n {" + plain + "}");
  const std::string open = plain.substr(0, plain.size() - 1);
  for (const std::string value : {"1", "-1.5e3", "\"text\"", "null", "true", "[]", "{}", "[3,[1,{\"b\":[{}]}],null]",
                                  "{\"dtype\":\"F64\",\"shape\":[2],\"c\":{\"dtype\":[]}}"}) {
    read("{" + open + ",\"strides\":" + value + "}}");
    read("{" + open + ",\"strides\":" + value + ",\"more\":" + value + "}}");
    read("{\"a\":{\"strides\":" + value + "," + plain.substr(5) + "}");
  }
  std::string ones = "[1";
  for (int i = 1; i < 40; ++i) ones += ",1";
  CHECK(read("{" + entry("a", "F32", ones + "]", 0, 4) + "}").extent("a").size() == 40);
  for (int i = 40; i < 64; ++i) ones += ",1";
  CHECK(read("{" + entry("a", "F32", ones + "]", 0, 4) + "}").extent("a").size() == 64);
  CHECK_REFUSED(read_safetensors(folder.put("b", file_of("{" + entry("a", "F32", ones + ",1]", 0, 4) + "}", data))),
                "b: the entry a is given a long shape, but it must be given at most 64 numbers there");
}

TEST_CASE("hostile safetensors files are refused by one sentence") {
  const temporary_folder folder;
  const auto refused = [&](const std::string& content) {
    const std::string sentence = refusal([&] { read_safetensors(folder.put("bad", content)); });
    CHECK_THAT(sentence, Catch::Matchers::ContainsSubstring("bad: "));
    return sentence;
  };
  const auto one = [](const std::string& type, const std::string& extent, std::size_t begin, std::size_t end) {
    return "{" + entry("w", type, extent, begin, end) + "}";
  };
  using Catch::Matchers::ContainsSubstring;
  const std::string data(8, '\0');
  constexpr auto huge = std::numeric_limits<std::uint64_t>::max();

  CHECK_THAT(refused(""), ContainsSubstring("the size is 0, but it must be at least 8 bytes"));
  CHECK_THAT(refused("1234567"), ContainsSubstring("the size is 7"));
  CHECK_THAT(refused(file_of("{}", "", huge)), ContainsSubstring("header is 18446744073709551615"));
  CHECK_THAT(refused(file_of("{}", "", huge - 7)), ContainsSubstring("header is 18446744073709551608"));
  CHECK_THAT(refused(file_of("{}", "", 3)), ContainsSubstring("header is 3"));
  CHECK_THAT(refused(file_of("", "")), ContainsSubstring("the header is not JSON"));
  CHECK_THAT(refused(file_of("   ", "")), ContainsSubstring("the header is not JSON"));
  CHECK_THAT(refused(file_of("\xEF\xBB\xBF{}", "")), ContainsSubstring("the header is not JSON"));
  CHECK_THAT(refused(file_of("[]", "")), ContainsSubstring("the header is not JSON"));
  CHECK_THAT(refused(file_of("{", "")), ContainsSubstring("the header is broken at byte"));
  CHECK_THAT(refused(file_of("{}{}", "")), ContainsSubstring("the header is broken at byte"));
  CHECK_THAT(refused(file_of("{\"\xFF\xFE\":1}", "")), ContainsSubstring("one JSON object in UTF-8"));
  CHECK_THAT(refused(file_of("{\"a\xE2\x82\":1}", "")), ContainsSubstring("one JSON object in UTF-8"));
  CHECK_THAT(refused(file_of("{\"\xED\xA0\x80\":1}", "")), ContainsSubstring("one JSON object in UTF-8"));
  CHECK_THAT(refused(file_of("{\"\xC0\x80\":1}", "")), ContainsSubstring("one JSON object in UTF-8"));
  CHECK_THAT(refused(file_of("{\"\\ud800\":1}", "")), ContainsSubstring("one JSON object in UTF-8"));
  CHECK_THAT(refused(file_of("{\"__metadata__\":{\"a\":\"\xFF\"}}", "")),
             ContainsSubstring("one JSON object in UTF-8"));
  // A byte 0 ends no text, wherever it is.
  const std::string nul(1, '\0');
  CHECK_THAT(refused(file_of("{}" + nul, "")), ContainsSubstring("the header is broken at byte 2"));
  CHECK_THAT(refused(file_of("{" + nul + "}", "")), ContainsSubstring("the header is broken at byte 1"));
  CHECK_THAT(refused(file_of("{}" + nul + "{}", "")), ContainsSubstring("the header is broken at byte 2"));
  CHECK_THAT(refused(file_of("{\"a" + nul + "\":1}", "")), ContainsSubstring("the header is broken at byte 3"));
  CHECK_THAT(refused(file_of("{\"w\":{\"shape\":[1e400]}}", "")),
             ContainsSubstring("the header is holding a number too large for double precision at byte 15"));
  CHECK_THAT(refused(file_of("{\"w\":{\"shape\":[10e308]}}", "")), ContainsSubstring("a fraction in the wrong place"));
  CHECK_THAT(refused(file_of("{\"w\":{\"shape\":[18446744073709551616]}}", "")),
             ContainsSubstring("given the number 18446744073709551616, but it must be given numbers below 2^64"));
  CHECK_THAT(refused(file_of("{\"w\":1}", "")), ContainsSubstring("the header holds a number in the wrong place"));
  CHECK_THAT(refused(file_of("{\"w\":null}", "")), ContainsSubstring("the header holds null in the wrong place"));
  CHECK_THAT(refused(file_of("{\"w\":[]}", "")), ContainsSubstring("the header holds an array in the wrong place"));
  CHECK_THAT(refused(file_of("{\"w\":{}}", "")), ContainsSubstring("the entry w is given by 0 fields"));
  CHECK_THAT(refused(file_of("{\"w\":{\"dtype\":\"F32\",\"shape\":[]}}", "")), ContainsSubstring("by 2 fields"));
  CHECK_THAT(refused(file_of("{\"w\":{\"strides\":[]}}", "")), ContainsSubstring("the entry w is given by 0 fields"));
  CHECK_THAT(refused(file_of("{\"w\":{\"a\":[{}],\"shape\":null}}", "")), ContainsSubstring("null in the wrong place"));
  CHECK_THAT(refused(file_of("{\"w\":{\"a\":\"b\",\"dtype\":1}}", "")),
             ContainsSubstring("a number in the wrong place"));
  CHECK_THAT(refused(file_of("{\"w\":{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}}", "")),
             ContainsSubstring("the entry w is given by 0 fields"));
  CHECK_THAT(refused(file_of("{\"__metadata__\":{\"a\":null}}", "")), ContainsSubstring("null in the wrong place"));
  CHECK_THAT(refused(file_of("{\"__metadata__\":null,\"__metadata__\":{}}", "")), ContainsSubstring("there twice"));
  CHECK_THAT(refused(file_of("{\"w\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}", "")), ContainsSubstring("dtype twice"));
  CHECK_THAT(refused(file_of("{\"w\":{\"shape\":[1.5]}}", "")), ContainsSubstring("a fraction in the wrong place"));
  CHECK_THAT(refused(file_of("{\"w\":{\"shape\":[-1]}}", "")), ContainsSubstring("a negative number"));
  CHECK_THAT(refused(file_of("{\"w\":{\"shape\":[[1]]}}", "")), ContainsSubstring("an array in the wrong place"));
  CHECK_THAT(refused(file_of("{\"w\":{\"shape\":\"1\"}}", "")), ContainsSubstring("a string in the wrong place"));
  CHECK_THAT(refused(file_of("{\"__metadata__\":{\"a\":1}}", "")), ContainsSubstring("a number in the wrong place"));
  CHECK_THAT(refused(file_of("{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}", "")),
             ContainsSubstring("the key a twice"));
  CHECK_THAT(refused(file_of("{\"__metadata__\":{},\"__metadata__\":{}}", "")), ContainsSubstring("there twice"));
  CHECK_THAT(refused(file_of("{" + entry("w", "F32", "[1]", 0, 4) + "," + entry("w", "F32", "[1]", 4, 8) + "}", data)),
             ContainsSubstring("the entry w is there twice"));
  CHECK_THAT(
      refused(file_of("{" + entry("w", "F32", "[1]", 0, 4) + "," + entry("\\u0077", "F32", "[1]", 4, 8) + "}", data)),
      ContainsSubstring("the entry w is there twice"));
  CHECK_THAT(refused(file_of(one("F33", "[2]", 0, 9), data)), ContainsSubstring("inside the 8 bytes of data"));
  CHECK_THAT(refused(file_of(one("F33", "[2]", 0, 4), data)), ContainsSubstring("the data is 8 bytes long"));
  CHECK_THAT(refused(file_of("{" + entry("v", "F33", "[1]", 0, 6) + "," + entry("w", "F32", "[1]", 4, 8) + "}", data)),
             ContainsSubstring("the tensor w is at byte 4, but it must be at byte 6"));
  CHECK_THAT(refused(file_of(one("F32", "[3]", 0, 8), data)), ContainsSubstring("as long as F32 [3] asks for"));
  CHECK_THAT(refused(file_of(one("F64", "[2]", 0, 8), data)), ContainsSubstring("as long as F64 [2] asks for"));
  CHECK_THAT(refused(file_of(one("F32", "[2]", 8, 0), data)), ContainsSubstring("the tensor w is at bytes 8 to 0"));
  CHECK_THAT(refused(file_of(one("F32", "[2]", 4, 12), data)), ContainsSubstring("inside the 8 bytes of data"));
  CHECK_THAT(refused(file_of(one("F32", "[2]", huge - 7, huge), data)), ContainsSubstring("inside the 8 bytes"));
  CHECK_THAT(refused(file_of(one("F32", "[1]", 4, 8), data)), ContainsSubstring("must be at byte 0"));
  CHECK_THAT(refused(file_of(one("F32", "[1]", 0, 4), data)), ContainsSubstring("the data is 8 bytes long"));
  CHECK_THAT(refused(file_of("{}", data)), ContainsSubstring("the data is 8 bytes long, but it must be 0"));
  CHECK_THAT(refused(file_of("{" + entry("v", "F32", "[1]", 0, 4) + "," + entry("w", "F32", "[1]", 2, 6) + "}",
                             data.substr(2))),
             ContainsSubstring("the tensor w is at byte 2, but it must be at byte 4"));
  // 2^32 * 2^32 elements wrap to none if they are multiplied without care.
  CHECK_THAT(refused(file_of(one("F32", "[4294967296,4294967296]", 0, 0), "")), ContainsSubstring("asks for"));
  CHECK_THAT(refused(file_of(one("U8", "[4294967296,4294967296,8]", 0, 8), data)), ContainsSubstring("asks for"));
  CHECK_THAT(refused(file_of("{\"w\":{\"data_offsets\":[1,2,3]}}", "")), ContainsSubstring("a long data_offsets"));
  CHECK_THAT(refused(file_of("{\"bad\\u000aname\":1}", "")), ContainsSubstring("bad?name"));
}

TEST_CASE("a header of nested brackets, however deep, is refused without a deep stack") {
  const temporary_folder folder;
  const std::string header = "{\"w\":" + std::string(3'000'000, '[');
  CHECK_REFUSED(read_safetensors(folder.put("deep", file_of(header, ""))), "deep: the header holds an array");
  const std::string inside = "{\"w\":{\"shape\":" + std::string(100'000, '[');
  CHECK_REFUSED(read_safetensors(folder.put("deep", file_of(inside, ""))), "deep: the header holds an array");
  const std::string unknown = "{\"w\":{\"strides\":" + std::string(3'000'000, '[');
  CHECK_REFUSED(read_safetensors(folder.put("deep", file_of(unknown, ""))), "deep: the header is broken at byte");
}

TEST_CASE("a safetensors file cut anywhere or lengthened is refused, and no changed byte of its header crashes") {
  const temporary_folder folder;
  write_safetensors(
      folder / "a",
      {named_tensor{"w", {2}, std::vector<float>{1, 2}}, named_tensor{"v", {1, 1}, std::vector<std::uint8_t>{1}}},
      {{"k", "x"}});
  const std::string whole = content_of(folder / "a");
  for (std::size_t length = 0; length < whole.size(); ++length) {
    CHECK_REFUSED(read_safetensors(folder.put("cut", whole.substr(0, length))), "cut: the ");
  }
  CHECK_REFUSED(read_safetensors(folder.put("long", whole + "x")), "long: the data is 10 bytes long");
  std::size_t refused = 0;
  for (std::size_t at = 0; at + 9 < whole.size(); ++at) {
    for (const int change : {1, 2, 4, 8, 16, 32, 64, 128}) {
      std::string wrong = whole;
      wrong[at] = static_cast<char>(wrong[at] ^ change);
      try {
        read_safetensors(folder.put("wrong", wrong));
      } catch (const softscore::error&) {
        ++refused;
      }
    }
  }
  CHECK(refused > 4 * whole.size());  // most changes break a rule; those inside a name or a string need not
}

TEST_CASE("what a safetensors file cannot hold is not written, and the old file stays") {
  const temporary_folder folder;
  const std::vector<float> w{1, 2};
  write_safetensors(folder / "a", {named_tensor{"w", {2}, w}});
  const std::string before = content_of(folder / "a");
  CHECK_REFUSED((named_tensor{"w", {3}, w}), "the number of elements of the tensor w is 2");
  CHECK_REFUSED(write_safetensors(folder / "a", {named_tensor{"w", {2}, w}, named_tensor{"w", {2}, w}}),
                "the name of a tensor is w");
  CHECK_REFUSED(write_safetensors(folder / "a", {named_tensor{"__metadata__", {2}, w}}), "is __metadata__");
  CHECK_REFUSED(write_safetensors(folder / "a", {named_tensor{"\xFF", {2}, w}}), "must be UTF-8");
  CHECK_REFUSED(write_safetensors(folder / "a", {}, {{"k", "\xFF"}}), "must be UTF-8");
  CHECK_REFUSED(write_safetensors(folder / "a", {}, {{"k", "cut \xF0\x9F"}}), "must be UTF-8");
  CHECK_REFUSED(write_safetensors("/dev/full", {named_tensor{"w", {2}, w}}), "No space left on device");
  CHECK(content_of(folder / "a") == before);
  CHECK(folder.entries() == 1);
}
