#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <new>
#include <string>
#include <string_view>

// The one header that includes RapidJSON, which reads the JSON of our files. Its own warnings are not ours to fix.
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wold-style-cast"
#pragma GCC diagnostic ignored "-Wimplicit-fallthrough"
#endif
#if !__has_include(<rapidjson/reader.h>)
#error "softscore/io/json.hpp needs RapidJSON: link softscore::io (find_package(softscore COMPONENTS io))"
#endif
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <softscore/core/config.hpp>
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

namespace softscore::inline SOFTSCORE_ABI::detail {

// Everything that instantiates RapidJSON is a template with this parameter, which always has its default: only programs
// that read or write JSON compile it.
using json_encoding = rapidjson::UTF8<>;

/// RapidJSON's memory, which throws if there is none; RapidJSON's own allocator would return a null pointer.
struct json_allocator {
  static const bool kNeedFree = true;
  void* Malloc(std::size_t size) { return Realloc(nullptr, 0, size); }
  void* Realloc(void* old, std::size_t old_size, std::size_t size) {
    void* const memory = rapidjson::CrtAllocator{}.Realloc(old, old_size, size);
    if (memory == nullptr && size > 0) throw std::bad_alloc{};
    return memory;
  }
  static void Free(void* memory) { rapidjson::CrtAllocator::Free(memory); }
};

/// The base of a handler of `json_fault`. These events never occur, because numbers are passed as text, but RapidJSON
/// requires the functions.
struct json_handler {
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(std::int64_t) { return false; }
  bool Uint64(std::uint64_t) { return false; }
  bool Double(double) { return false; }
};

/// Reads JSON event by event into `handler`, whose `RawNumber` receives numbers as they are spelled. It does not
/// recurse, for any depth of nesting. If the text is not one JSON value in UTF-8, returns what it is instead ("broken
/// at byte 7"), otherwise nothing.
// RapidJSON 1.1 does not convert the numbers, because it turns 10e308 into -3.1e-308, and exponents near -2^31
// overflow.
template <class Encoding = json_encoding, class Handler>
std::string json_fault(std::string_view text, Handler& handler) {
  constexpr unsigned how =
      rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag | rapidjson::kParseNumbersAsStringsFlag;
  rapidjson::MemoryStream stream{text.data(), text.size()};
  rapidjson::GenericReader<Encoding, Encoding, json_allocator> reader;
  const rapidjson::ParseResult result = reader.template Parse<how>(stream, handler);
  if (result.Code() == rapidjson::kParseErrorNumberTooBig)
    return "holding a number too large for double precision at byte " + std::to_string(result.Offset());
  if (result.IsError()) return "broken at byte " + std::to_string(result.Offset());
  // A zero byte ends RapidJSON's reading, but not the text.
  if (stream.Tell() != text.size()) return "broken at byte " + std::to_string(stream.Tell());
  return {};
}

/// Appends a text as a JSON string, in quotes; returns false if it is not UTF-8.
template <class Encoding = json_encoding>
bool append_json(std::string& to, std::string_view text) {
  struct appender {
    std::string& to;
    void Put(char c) { to += c; }
  } out{to};
  rapidjson::MemoryStream in{text.data(), text.size()};
  to += '"';
  while (in.Tell() < text.size()) {
    const char c = in.Peek();
    constexpr std::string_view special = "\"\\\b\f\n\r\t", letters = "\"\\bfnrt";
    const auto at = special.find(c);
    if (at != std::string_view::npos) {
      to += '\\';
      to += letters[at];
      in.Take();
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(c));
      to += escaped;
      in.Take();
    } else if (!Encoding::Validate(in, out)) {
      return false;
    }
  }
  to += '"';
  return true;
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
