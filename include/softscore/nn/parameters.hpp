#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <softscore/core/checked_size.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/noise.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The initial values for training: uniform in [start - spread, start + spread], or normal with that mean and standard
/// deviation.
struct first_values {
  double start{}, spread{};
  bool normal{};
};

/// One named array inside the flat array of all parameters of a network. Its name, order of elements and initial values
/// are PyTorch's. The gradient of an array that is not trained, such as the frequencies of Fourier features, is 0.
struct parameter {
  std::string name;
  std::vector<std::size_t> sizes;
  std::size_t offset{};
  double start{}, spread{};
  bool normal{};
  bool trained{true};

  std::size_t size() const {
    std::size_t product = 1;
    for (const std::size_t n : sizes) product *= n;
    return product;
  }
};

/// The names, shapes and offsets of a network's parameters, in the order of the flat array.
class parameter_layout {
 public:
  /// Appends an array and returns its offset.
  template <class = when_called>
  std::size_t add(std::string name, std::vector<std::size_t> sizes, double start, double spread) {
    return add(std::move(name), std::move(sizes), first_values{start, spread}, true);
  }
  template <class = when_called>
  std::size_t add(std::string name, std::vector<std::size_t> sizes, const first_values& first, bool trained = true) {
    parameter added{std::move(name), std::move(sizes), count_, first.start, first.spread, first.normal, trained};
    count_ += product_of("number of elements of " + added.name, std::span<const std::size_t>{added.sizes},
                         most_bytes / sizeof(double) - count_);
    all_.push_back(std::move(added));
    return all_.back().offset;
  }
  /// Appends `prefix`.weight and `prefix`.bias of a convolution or dense layer; both start uniform in
  /// [-1, 1] / sqrt(fan_in). Returns the offset of the weight.
  template <class = when_called>
  std::size_t add_weight_and_bias(const std::string& prefix, std::vector<std::size_t> sizes, std::size_t fan_in) {
    const double spread = 1 / std::sqrt(static_cast<double>(fan_in));
    const std::size_t outputs = sizes.front(), weight = add(prefix + ".weight", std::move(sizes), 0, spread);
    add(prefix + ".bias", {outputs}, 0, spread);
    return weight;
  }

  /// Changes the initial values of the arrays from number `first_array` on to what `chosen(parameter)` returns.
  template <class F>
  void choose_first_values(std::size_t first_array, const F& chosen) {
    for (std::size_t k = first_array; k < all_.size(); ++k) {
      const first_values first = chosen(std::as_const(all_[k]));
      all_[k].start = first.start;
      all_[k].spread = first.spread;
      all_[k].normal = first.normal;
    }
  }
  /// The number of arrays.
  std::size_t arrays() const { return all_.size(); }

  /// Length of the flat array.
  std::size_t count() const { return count_; }
  auto begin() const { return all_.begin(); }
  auto end() const { return all_.end(); }

  /// The array of that name; throws `error` if there is none.
  template <class = when_called>
  const parameter& at(std::string_view name) const {
    for (const parameter& p : all_)
      if (p.name == name) return p;
    reject("a parameter's name", name, "one of the network's");
  }

 private:
  std::vector<parameter> all_;
  std::size_t count_{};
};

/// Fills the flat array with the initial values, which depend only on the seed and the position.
template <class = when_called>
void draw_initial_values(const parameter_layout& layout, std::uint64_t seed, std::span<float> values) {
  const noise_key key{seed, noise_stream::initial_weights};
  std::uint64_t array = 0;
  for (const parameter& p : layout) {
    for (std::size_t i = 0; i < p.size(); ++i) {
      const double drawn = p.normal ? static_cast<double>(normals(key, array, static_cast<std::uint32_t>(i / 4))[i % 4])
                                    : 2 * uniform(key, array, static_cast<std::uint32_t>(i)) - 1;
      values[p.offset + i] = static_cast<float>(p.start + p.spread * drawn);
    }
    ++array;
  }
}

}  // namespace softscore::inline SOFTSCORE_ABI
