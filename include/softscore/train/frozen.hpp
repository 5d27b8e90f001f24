#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/nn/parameters.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Contiguous parameters of a network: elements `begin` to `begin + count` - 1 of the flat array.
struct parameter_range {
  std::size_t begin{}, count{};
};

/// The parameters that training changes, and those that it does not, each as few ranges in ascending order.
struct parameter_ranges {
  std::vector<parameter_range> trained, frozen;
};

/// Finds the parameters that are trained. Those whose names begin with one of the `prefixes` are frozen, and so are
/// those that a network never trains. Throws `error` for a prefix that no name begins with, and if no parameter is left
/// to train.
template <class = when_called>
parameter_ranges split_by_name(const parameter_layout& layout, const std::vector<std::string>& prefixes) {
  for (const std::string& prefix : prefixes)
    require(std::any_of(layout.begin(), layout.end(),
                        [&](const parameter& p) { return std::string_view{p.name}.starts_with(prefix); }),
            "a prefix of frozen parameters", prefix, "the beginning of a parameter's name");
  parameter_ranges split;
  for (const parameter& p : layout) {
    const bool fixed = !p.trained || std::any_of(prefixes.begin(), prefixes.end(), [&](const std::string& prefix) {
      return std::string_view{p.name}.starts_with(prefix);
    });
    auto& ranges = fixed ? split.frozen : split.trained;
    if (!ranges.empty() && ranges.back().begin + ranges.back().count == p.offset)
      ranges.back().count += p.size();
    else
      ranges.push_back({p.offset, p.size()});
  }
  require(!split.trained.empty(), "number of parameters to train", 0, "at least 1: all of them are frozen");
  return split;
}

}  // namespace softscore::inline SOFTSCORE_ABI
