#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <softscore/core/checked_size.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/io/atomic_file.hpp>
#include <softscore/io/file_error.hpp>
#include <softscore/io/half.hpp>
#include <softscore/io/json.hpp>
#include <softscore/io/read_file.hpp>

namespace softscore::inline SOFTSCORE_ABI {

static_assert(std::endian::native == std::endian::little,
              "safetensors files are little-endian, and so must be the host");

namespace detail {

/// Returns the bytes of one element of a safetensors type, or 0 for a type that is unknown or has no whole bytes. The
/// format gains types, and a file with a new one still holds the others.
inline std::size_t tensor_type_size(std::string_view type) {
  struct type_size {
    std::string_view name;
    std::size_t size;
  };
  static constexpr type_size sizes[] = {{"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E5M2", 1}, {"F8_E4M3", 1},
                                        {"I16", 2},  {"U16", 2}, {"F16", 2}, {"BF16", 2},    {"I32", 4},
                                        {"U32", 4},  {"F32", 4}, {"F64", 8}, {"I64", 8},     {"U64", 8}};
  for (const auto& [name, size] : sizes) {
    if (name == type) return size;
  }
  return 0;
}

template <class T>
inline constexpr std::string_view tensor_type{};
template <>
inline constexpr std::string_view tensor_type<float>{"F32"};
template <>
inline constexpr std::string_view tensor_type<double>{"F64"};
template <>
inline constexpr std::string_view tensor_type<std::uint8_t>{"U8"};
template <>
inline constexpr std::string_view tensor_type<std::int32_t>{"I32"};
template <>
inline constexpr std::string_view tensor_type<std::uint32_t>{"U32"};
template <>
inline constexpr std::string_view tensor_type<std::int64_t>{"I64"};
template <>
inline constexpr std::string_view tensor_type<std::uint64_t>{"U64"};

/// "[2, 3]", for error messages.
template <class Sizes>
std::string shape_text(const Sizes& extent) {
  std::string text = "[";
  for (const std::size_t n : extent) {
    if (text.size() > 1) text += ", ";
    text += std::to_string(n);
  }
  text += ']';
  return text;
}

struct tensor_entry {
  std::string type;
  std::vector<std::size_t> extent;
  std::size_t begin{}, end{};
};

struct safetensors_header {
  std::map<std::string, tensor_entry, std::less<>> tensors;
  std::map<std::string, std::string, std::less<>> metadata;
};

// Reads the header's JSON event by event. Only the one form that the format allows is ever stored, and a repeated name
// is detected (a parsed document would keep only the last one). Unknown fields are skipped with any content, as in the
// format's own reader. The functions with capitals are RapidJSON's events.
template <class Encoding>
class safetensors_header_reader : public json_handler {
 public:
  safetensors_header_reader(std::string_view path, safetensors_header& into) : path_{path}, header_{into} {}

  /// Reads the whole header of a file with `data_size` bytes after it.
  void read(std::string_view text, std::size_t data_size) {
    const std::string fault = json_fault<Encoding>(text, *this);
    require_file(fault.empty(), path_, "the header", fault, "one JSON object in UTF-8");
    check_ranges(data_size);
  }

  bool StartObject() {
    switch (place_) {
      case place::unknown:
        ++depth_;
        return true;
      case place::outside:
        place_ = place::top;
        return true;
      case place::top_value:
        place_ = name_ == "__metadata__" ? place::metadata : place::tensor;
        fields_.clear();
        return true;
      default:
        return misplaced("an object");
    }
  }
  bool EndObject(unsigned) {
    if (place_ == place::unknown) return leave();
    if (place_ == place::tensor) {
      demand(fields_.size() == 3, "given by " + std::to_string(fields_.size()) + " fields",
             "given by dtype, shape and data_offsets");
      demand(offsets_.size() == 2, "given " + std::to_string(offsets_.size()) + " data_offsets", "given two");
      entry_.begin = offsets_[0];
      entry_.end = offsets_[1];
      header_.tensors.emplace(name_, std::exchange(entry_, {}));
      offsets_.clear();
    }
    place_ = place_ == place::top ? place::finished : place::top;
    return true;
  }
  bool Key(const char* data, unsigned size, bool) {
    const std::string text(data, size);
    switch (place_) {
      case place::unknown:
        return true;
      case place::top:
        name_ = text;
        demand(names_.insert(text).second, "there twice", "there once");
        place_ = place::top_value;
        return true;
      case place::metadata:
        field_ = text;
        demand(!header_.metadata.contains(text), "given the key " + printable(text, 80) + " twice", "given it once");
        place_ = place::metadata_value;
        return true;
      case place::tensor:
        if (text != "dtype" && text != "shape" && text != "data_offsets") {
          place_ = place::unknown;
          return true;
        }
        field_ = text;
        demand(fields_.insert(text).second, "given its " + text + " twice", "given it once");
        place_ = text == "dtype" ? place::type : place::list_start;
        return true;
      default:
        return misplaced("a key");
    }
  }
  bool String(const char* data, unsigned size, bool) {
    const std::string text(data, size);
    if (place_ == place::metadata_value) {
      header_.metadata.emplace(field_, text);
      place_ = place::metadata;
      return true;
    }
    if (place_ != place::type) return scalar("a string");
    entry_.type = text;
    place_ = place::tensor;
    return true;
  }
  bool StartArray() {
    if (place_ == place::unknown) return ++depth_ > 0;
    if (place_ != place::list_start) return misplaced("an array");
    place_ = place::list;
    return true;
  }
  bool EndArray(unsigned) {
    if (place_ == place::unknown) return leave();
    place_ = place::tensor;
    return true;
  }
  bool RawNumber(const char* data, unsigned size, bool) {
    if (place_ == place::unknown) return scalar("a number");
    const std::string_view text{data, size};
    if (text.find_first_of(".eE") != text.npos) return misplaced("a fraction");
    if (text[0] == '-') return misplaced("a negative number");
    if (place_ != place::list) return misplaced("a number");
    auto& list = field_ == "shape" ? entry_.extent : offsets_;
    const std::size_t longest = field_ == "shape" ? 64 : 2;  // NumPy has at most 64 dimensions too
    demand(list.size() < longest, "given a long " + field_,
           "given at most " + std::to_string(longest) + " numbers there");
    std::size_t number = 0;
    demand(std::from_chars(data, data + size, number).ec == std::errc{}, "given the number " + printable(text, 80),
           "given numbers below 2^64");
    list.push_back(number);
    return true;
  }
  bool Bool(bool) { return scalar("a boolean"); }
  bool Null() {
    if (place_ != place::top_value || name_ != "__metadata__") return scalar("null");
    place_ = place::top;
    return true;
  }

 private:
  using named_entry = std::pair<const std::string, tensor_entry>;
  enum class place {
    outside,
    top,
    top_value,
    metadata,
    metadata_value,
    tensor,
    type,
    list_start,
    list,
    unknown,
    finished
  };

  void demand(bool holds, const std::string& value, std::string_view rule) const {
    if (!holds) require_file(false, path_, "the entry " + printable(name_, 80), value, rule);
  }
  // The end of a value, or of part of a value, of an unknown field.
  bool leave() {
    if (--depth_ == 0) place_ = place::tensor;
    return true;
  }
  // A value without parts, which is allowed here only for an unknown field.
  bool scalar(const char* what) {
    if (place_ != place::unknown) return misplaced(what);
    if (depth_ == 0) place_ = place::tensor;
    return true;
  }
  bool misplaced(const std::string& what) const {
    throw error(printable(path_) + ": the header holds " + what + " in the wrong place (near the entry \"" +
                printable(name_, 80) + "\"), but it must be an object of tensors with dtype, shape and data_offsets");
  }

  // Every range must fit its shape and its type, if the type is known, and the ranges together must cover the data
  // once, without gaps.
  void check_ranges(std::size_t data_size) const {
    std::vector<const named_entry*> order;
    for (const named_entry& each : header_.tensors) {
      const auto& [name, entry] = each;
      const std::string subject = "the tensor " + printable(name, 80);
      require_file(entry.begin <= entry.end && entry.end <= data_size, path_, subject,
                   "at bytes " + std::to_string(entry.begin) + " to " + std::to_string(entry.end),
                   "inside the " + std::to_string(data_size) + " bytes of data");
      const std::size_t size = tensor_type_size(entry.type);
      const auto count = size == 0 ? std::nullopt : product_within(entry.extent, data_size / size);
      require_file(size == 0 || (count && *count * size == entry.end - entry.begin), path_, subject,
                   std::to_string(entry.end - entry.begin) + " bytes long",
                   "as long as " + entry.type + " " + shape_text(entry.extent) + " asks for");
      order.push_back(&each);
    }
    std::sort(order.begin(), order.end(), [](const named_entry* a, const named_entry* b) {
      return std::pair{a->second.begin, a->second.end} < std::pair{b->second.begin, b->second.end};
    });
    std::size_t covered = 0;
    for (const named_entry* each : order) {
      require_file(each->second.begin == covered, path_, "the tensor " + printable(each->first, 80),
                   "at byte " + std::to_string(each->second.begin),
                   "at byte " + std::to_string(covered) + ", where the one before it ends");
      covered = each->second.end;
    }
    require_file(covered == data_size, path_, "the data", std::to_string(data_size) + " bytes long",
                 std::to_string(covered) + " bytes long, where the last tensor ends");
  }

  std::string_view path_;
  safetensors_header& header_;
  place place_{place::outside};
  std::size_t depth_{};  // how many objects and arrays of an unknown field are open
  std::string name_, field_;
  std::set<std::string, std::less<>> names_, fields_;
  tensor_entry entry_;
  std::vector<std::size_t> offsets_;
};

}  // namespace detail

/// A safetensors file in memory: named arrays with a type and a shape, and a table of strings.
template <class Encoding>
class basic_safetensors_file {
 public:
  /// Reads and checks a whole file. Throws `error` naming the file and the broken rule: the length of the header (8
  /// bytes, at most 100 MB, inside the file), its JSON, repeated names, types, shapes, and byte ranges that must cover
  /// the data exactly once. A tensor of a type that the library does not use is an error only when it is requested.
  explicit basic_safetensors_file(const std::filesystem::path& path) : path_{path.string()}, bytes_{read_file(path)} {
    constexpr std::size_t longest_header = 100'000'000;
    detail::require_file(bytes_.size() >= 8, path_, "the size", bytes_.size(), "at least 8 bytes");
    std::uint64_t length = 0;
    std::memcpy(&length, bytes_.data(), 8);
    constexpr std::array<std::uint8_t, 4> zip{'P', 'K', 3, 4};
    detail::require_file(length <= longest_header || !std::equal(zip.begin(), zip.end(), bytes_.begin()), path_,
                         "the format", "a zip archive, as torch.save writes one", "safetensors");
    detail::require_file(length <= (std::min)(longest_header, bytes_.size() - 8), path_, "the length of the header",
                         length, "at most 100000000 and no more than the file has");
    data_at_ = 8 + static_cast<std::size_t>(length);
    const std::string_view text{reinterpret_cast<const char*>(bytes_.data()) + 8, static_cast<std::size_t>(length)};
    const auto start = (std::min)(text.find_first_not_of(" \t\n\r"), text.size());
    detail::require_file(text.substr(start).starts_with('{'), path_, "the header", "not JSON",
                         "one that begins with '{'");
    detail::safetensors_header_reader<Encoding>{path_, header_}.read(text, bytes_.size() - data_at_);
  }

  const std::string& path() const { return path_; }

  /// The names of all tensors, sorted.
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& [name, entry] : header_.tensors) all.push_back(name);
    return all;
  }
  bool contains(std::string_view name) const { return header_.tensors.contains(name); }

  /// The shape of a tensor. Throws `error` if the file has no tensor of that name.
  const std::vector<std::size_t>& extent(std::string_view name) const { return entry(name).extent; }
  /// The type of a tensor, as the format spells it ("F32").
  const std::string& type(std::string_view name) const { return entry(name).type; }

  /// Returns the elements of a tensor. Throws `error` if the file has no tensor of that name or it has another type. T
  /// may be float, double, uint8_t, int32_t, uint32_t, int64_t or uint64_t; the other types of the format are not read.
  template <class T>
  std::vector<T> tensor(std::string_view name) const {
    const auto& found = typed_entry<T>(name);
    std::vector<T> elements((found.end - found.begin) / sizeof(T));
    copy(found, elements.data());
    return elements;
  }
  /// The same for a tensor whose shape must be `extent`.
  template <class T>
  std::vector<T> tensor(std::string_view name, std::span<const std::size_t> extent) const {
    check_extent(typed_entry<T>(name), name, extent);
    return tensor<T>(name);
  }
  template <class T>
  std::vector<T> tensor(std::string_view name, std::initializer_list<std::size_t> extent) const {
    return tensor<T>(name, std::span<const std::size_t>{extent.begin(), extent.size()});
  }
  /// Copies a tensor of shape `extent` to the caller's memory, which must have room for exactly that many elements.
  template <class T>
  void tensor_into(std::string_view name, std::span<const std::size_t> extent, std::span<T> out) const {
    const auto& found = typed_entry<T>(name);
    check_extent(found, name, extent);
    require(out.size() * sizeof(T) == found.end - found.begin, "the room for a tensor", out.size(),
            "its number of elements");
    copy(found, out.data());
  }

  /// Returns the elements of a tensor of type F32, F16 or BF16 as float; a narrow type is widened, which is exact.
  std::vector<float> floats(std::string_view name) const {
    const auto& found = entry(name);
    if (found.type == "F32") return tensor<float>(name);
    const bool half = found.type == "F16";
    detail::require_file(half || found.type == "BF16", path_, "the type of the tensor " + detail::printable(name, 80),
                         found.type, "F32, F16 or BF16");
    std::vector<std::uint16_t> narrow((found.end - found.begin) / 2);
    copy(found, narrow.data());
    std::vector<float> wide;
    wide.reserve(narrow.size());
    for (const std::uint16_t bits : narrow)
      wide.push_back(half ? detail::widened_float16(bits) : detail::widened_bfloat16(bits));
    return wide;
  }

  /// A string of the metadata, if it exists.
  std::optional<std::string> find_metadata(std::string_view key) const {
    const auto found = header_.metadata.find(key);
    return found == header_.metadata.end() ? std::nullopt : std::optional{found->second};
  }
  /// A string of the metadata. Throws `error` if it does not exist.
  std::string metadata(std::string_view key) const {
    auto found = find_metadata(key);
    if (!found)
      throw error(detail::printable(path_) + " must have the metadata " + detail::printable(key, 80) + ", but has not");
    return *found;
  }
  const std::map<std::string, std::string, std::less<>>& all_metadata() const { return header_.metadata; }

 private:
  const detail::tensor_entry& entry(std::string_view name) const {
    const auto found = header_.tensors.find(name);
    if (found == header_.tensors.end()) {
      throw error(detail::printable(path_) + " must have a tensor " + detail::printable(name, 80) + ", but has not");
    }
    return found->second;
  }
  template <class T>
  const detail::tensor_entry& typed_entry(std::string_view name) const {
    static_assert(!detail::tensor_type<T>.empty(), "safetensors has no type for this element");
    const auto& found = entry(name);
    detail::require_file(found.type == detail::tensor_type<T>, path_,
                         "the type of the tensor " + detail::printable(name, 80), found.type, detail::tensor_type<T>);
    return found;
  }
  void check_extent(const detail::tensor_entry& found, std::string_view name,
                    std::span<const std::size_t> extent) const {
    detail::require_file(std::equal(found.extent.begin(), found.extent.end(), extent.begin(), extent.end()), path_,
                         "the shape of the tensor " + detail::printable(name, 80), detail::shape_text(found.extent),
                         detail::shape_text(extent));
  }
  // A copy, because a range of the file need not be aligned for its type.
  template <class T>
  void copy(const detail::tensor_entry& from, T* to) const {
    if (from.end > from.begin) std::memcpy(to, bytes_.data() + data_at_ + from.begin, from.end - from.begin);
  }

  std::string path_;
  std::vector<std::uint8_t> bytes_;
  std::size_t data_at_{};
  detail::safetensors_header header_;
};

/// The file in the only encoding of the format.
using safetensors_file = basic_safetensors_file<detail::json_encoding>;

/// Reads a safetensors file; the same as its constructor.
template <class Encoding = detail::json_encoding>
basic_safetensors_file<Encoding> read_safetensors(const std::filesystem::path& path) {
  return basic_safetensors_file<Encoding>{path};
}

/// An array to write. It refers to the elements and does not own them.
struct named_tensor {
  template <class T>
  named_tensor(std::string label, std::vector<std::size_t> shape, std::span<const T> elements)
      : name{std::move(label)}, type{detail::tensor_type<T>}, extent{std::move(shape)}, bytes{std::as_bytes(elements)} {
    static_assert(!detail::tensor_type<T>.empty(), "safetensors has no type for this element");
    std::size_t count = 1;
    for (const std::size_t n : extent) count *= n;
    require(count == elements.size(), "the number of elements of the tensor " + name, elements.size(),
            "the product of its shape");
  }
  template <class T>
  named_tensor(std::string label, std::vector<std::size_t> shape, const std::vector<T>& elements)
      : named_tensor{std::move(label), std::move(shape), std::span<const T>{elements}} {}

  std::string name;
  std::string_view type;
  std::vector<std::size_t> extent;
  std::span<const std::byte> bytes;
};

/// Writes a safetensors file: wider types first, otherwise in the given order, so every tensor is aligned and the bytes
/// depend only on the arguments. The file appears complete or not at all (`atomic_file`). Throws `error` if a name is
/// repeated, if text is not UTF-8, or if the file cannot be written.
template <class Encoding = detail::json_encoding>
void write_safetensors(const std::filesystem::path& path, std::span<const named_tensor> tensors,
                       const std::map<std::string, std::string>& metadata = {}) {
  std::vector<const named_tensor*> order;
  for (const auto& tensor : tensors) order.push_back(&tensor);
  // By address for types of equal width: std::stable_sort of libstdc++ 12 causes a warning of clang 19.
  std::sort(order.begin(), order.end(), [](const named_tensor* a, const named_tensor* b) {
    const std::size_t width_of_a = detail::tensor_type_size(a->type), width_of_b = detail::tensor_type_size(b->type);
    return width_of_a != width_of_b ? width_of_a > width_of_b : a < b;
  });

  std::string text = "{";
  const auto add = [&](std::string_view words) {
    if (!detail::append_json<Encoding>(text, words))
      throw error(detail::printable(path.string()) + " cannot be written: its names and metadata must be UTF-8");
  };
  const auto entry = [&](std::string_view name) {
    if (text.size() > 1) text += ',';
    add(name);
    text += ":{";
  };
  if (!metadata.empty()) {
    entry("__metadata__");
    for (const auto& [key, value] : metadata) {
      if (text.back() != '{') text += ',';
      add(key);
      text += ':';
      add(value);
    }
    text += '}';
  }
  std::set<std::string_view> names{"__metadata__"};
  std::size_t at = 0;
  for (const auto* tensor : order) {
    require(names.insert(tensor->name).second, "the name of a tensor", detail::printable(tensor->name, 80),
            "used once and not __metadata__");
    entry(tensor->name);
    text += "\"dtype\":\"" + std::string{tensor->type} + "\",\"shape\":[";
    for (const std::size_t n : tensor->extent) {
      if (text.back() != '[') text += ',';
      text += std::to_string(n);
    }
    text += "],\"data_offsets\":[" + std::to_string(at) + ',' + std::to_string(at + tensor->bytes.size()) + "]}";
    at += tensor->bytes.size();
  }
  text += '}';
  text.append((8 - text.size() % 8) % 8, ' ');
  const std::uint64_t length = text.size();
  atomic_file file{path};
  file.write(std::as_bytes(std::span{&length, 1}));
  file.write(std::string_view{text});
  for (const auto* tensor : order) file.write(tensor->bytes);
  file.commit();
}
template <class Encoding = detail::json_encoding>
void write_safetensors(const std::filesystem::path& path, std::initializer_list<named_tensor> tensors,
                       const std::map<std::string, std::string>& metadata = {}) {
  write_safetensors<Encoding>(path, std::span<const named_tensor>{tensors.begin(), tensors.size()}, metadata);
}

}  // namespace softscore::inline SOFTSCORE_ABI
