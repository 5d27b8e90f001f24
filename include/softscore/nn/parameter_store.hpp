#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <softscore/core/checked_size.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/nn/parameters.hpp>
#include <softscore/nn/stamp.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The master copy of a network's parameters on the host: one flat array with named slices, a stamp that changes
/// whenever they may have changed, and whether they were ever given values. They are 0 until then. Networks derive from
/// it.
class parameter_store {
 public:
  /// Throws `error` if there is not enough memory for them.
  explicit parameter_store(parameter_layout layout)
      : layout_{std::move(layout)}, values_{vector_of<float>("number of parameters", {layout_.count()})} {}

  std::size_t parameter_count() const { return layout_.count(); }
  /// Names, shapes and offsets of the parameters.
  const parameter_layout& layout() const { return layout_; }

  std::span<const float> parameters() const { return {values_.data(), values_.size()}; }
  /// The parameters, to be written in place. Call it again for every change: only the call tells workspaces that they
  /// are stale.
  std::span<float> mutable_parameters() {
    stamp_ = next_stamp();
    initialized_ = true;
    return {values_.data(), values_.size()};
  }
  /// Throws `error` for a wrong number of values.
  template <class = when_called>
  void set_parameters(std::span<const float> values) {
    require(values.size() == parameter_count(), "the number of parameters", values.size(),
            "that of the network, " + std::to_string(parameter_count()));
    std::copy(values.begin(), values.end(), mutable_parameters().begin());
  }
  /// Sets the initial values that the layers declared, a function of the seed.
  void initialize(std::uint64_t seed) { draw_initial_values(layout(), seed, mutable_parameters()); }
  /// Whether the parameters were ever set, initialized or handed out for writing.
  bool initialized() const { return initialized_; }
  /// A number that changes whenever the parameters may change; it is unique among all networks of the process.
  std::uint64_t stamp() const { return stamp_; }

 private:
  parameter_layout layout_;
  std::vector<float> values_;
  std::uint64_t stamp_{next_stamp()};
  bool initialized_{};
};

}  // namespace softscore::inline SOFTSCORE_ABI
