#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/shape.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The most bytes that an object may have. Distances inside a larger object do not fit into a std::ptrdiff_t.
inline constexpr std::size_t most_bytes = PTRDIFF_MAX;

/// Returns the product of counts, or nothing if it is above `most` or does not fit into a std::size_t. Every size that
/// is computed from counts uses this one rule.
template <class = when_called>
std::optional<std::size_t> product_within(std::span<const std::size_t> counts, std::size_t most) {
  std::size_t product = 1;
  bool fits = true;
  for (const std::size_t count : counts) {
    if (count == 0) return 0;
    fits = fits && product <= most / count;
    if (fits) product *= count;
  }
  return fits ? std::optional{product} : std::nullopt;
}

/// Returns the same product; throws `error` naming `what` and the counts if there is none.
template <class = when_called>
std::size_t product_of(std::string_view what, std::span<const std::size_t> counts, std::size_t most = most_bytes) {
  const auto product = product_within(counts, most);
  if (!product) {
    std::string factors;
    for (const std::size_t count : counts) factors += (factors.empty() ? "" : " x ") + std::to_string(count);
    reject(what, factors, "at most " + std::to_string(most));
  }
  return *product;
}
template <class = when_called>
std::size_t product_of(std::string_view what, std::initializer_list<std::size_t> counts,
                       std::size_t most = most_bytes) {
  return product_of(what, std::span<const std::size_t>{counts.begin(), counts.size()}, most);
}

/// Returns the bytes of an array of `T` of that extent. Throws `error` if there is no such number.
template <class T>
std::size_t bytes_of(const shape& extent) {
  return product_of("number of bytes of an array",
                    {extent.images, extent.channels, extent.height, extent.width, sizeof(T)});
}

/// Returns what `make` returns. If there is not enough memory it throws `error` naming `what` and the bytes; a leading
/// "number of " is dropped from `what`.
template <class Make>
decltype(auto) with_memory(std::string_view what, std::size_t bytes, const Make& make) {
  try {
    return make();
  } catch (const std::bad_alloc&) {
    constexpr std::string_view count = "number of ";
    if (what.starts_with(count)) what.remove_prefix(count.size());
    reject("memory for " + std::string{what}, std::to_string(bytes) + " bytes", "no more than can be had");
  }
}

/// Reserves room in `vector` for as many elements as the product of `counts`, and returns that product. Throws `error`
/// naming `what` if the product does not fit or there is not enough memory.
template <class T>
std::size_t reserve_for(std::vector<T>& vector, std::string_view what, std::initializer_list<std::size_t> counts) {
  const std::size_t count = product_of(what, counts, most_bytes / sizeof(T));
  with_memory(what, count * sizeof(T), [&] { vector.reserve(count); });
  return count;
}

/// Returns a vector of as many elements as the product of `counts`. Throws as `reserve_for` does.
template <class T>
std::vector<T> vector_of(std::string_view what, std::initializer_list<std::size_t> counts, const T& value = {}) {
  std::vector<T> elements;
  elements.resize(reserve_for(elements, what, counts), value);
  return elements;
}

}  // namespace softscore::inline SOFTSCORE_ABI
