#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// The numbers that make_unet.py draws from a string, so that a file need not hold them: uniform in [0, 1) from the
// 64-bit FNV-1a hash of the string and splitmix64.

inline double drawn_uniform(std::uint64_t hash, std::size_t index) {
  std::uint64_t z = hash + (index + 1) * 0x9E3779B97F4A7C15ull;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  z ^= z >> 31;
  return static_cast<double>(z >> 11) * 0x1p-53;
}

inline std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 0xCBF29CE484222325ull;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ull;
  return hash;
}

/// Uniform numbers in [-1, 1).
inline std::vector<double> drawn_signs(std::string_view text, std::size_t count) {
  const std::uint64_t hash = hash_of(text);
  std::vector<double> all(count);
  for (std::size_t i = 0; i < count; ++i) all[i] = 2 * drawn_uniform(hash, i) - 1;
  return all;
}

/// The values of parameter `name` of a case.
inline std::vector<float> drawn_parameter(const std::string& of_case, std::string_view name,
                                          const std::vector<std::size_t>& sizes) {
  std::size_t count = 1, inputs = 1;
  for (std::size_t k = 0; k < sizes.size(); ++k) {
    count *= sizes[k];
    if (k > 0) inputs *= sizes[k];
  }
  const auto ends = [&](std::string_view end) { return name.ends_with(end); };
  const bool table = ends("class_embedding.weight") || ends("label_emb.weight") || ends("class_embed.weight") ||
                     ends("class_emb.weight") || ends("embedding_table.weight") || ends("map_label.weight") ||
                     ends("map_augment.weight");
  const bool frequencies = ends("time_proj.weight") || ends("map_noise.freqs");
  const std::vector<double> s = drawn_signs(of_case + ":" + std::string{name}, count);
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) {
    double v = s[i] * std::sqrt(3 / static_cast<double>(inputs));
    if (frequencies)
      v = 2 * s[i];
    else if (ends("timestep_embed.weight"))
      v = 0.2 * s[i];
    else if (table)
      v = s[i];
    else if (sizes.size() == 1)
      v = ends("weight") ? 1 + 0.3 * s[i] : 0.2 * s[i];
    values[i] = static_cast<float>(v);
  }
  return values;
}

/// The eight numbers that stand for a gradient: its sum, norm and product with numbers from "probe:<name>", and its
/// first five entries.
template <class T>
std::vector<double> digest_of(const std::string& name, const std::vector<T>& gradient) {
  const std::vector<double> s = drawn_signs("probe:" + name, gradient.size());
  std::vector<double> digest(8);
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    const double g = static_cast<double>(gradient[i]);
    digest[0] += g;
    digest[1] += g * g;
    digest[2] += g * s[i];
    if (i < 5) digest[3 + i] = g;
  }
  digest[1] = std::sqrt(digest[1]);
  return digest;
}
