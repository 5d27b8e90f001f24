#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/io/file_error.hpp>
#include <softscore/io/safetensors.hpp>
#include <softscore/nn/parameters.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// How the tensors of a file fit a network's parameters, by name. If a shape differs, it is listed with the name.
struct weights_fit {
  std::vector<std::string> missing{};     ///< parameters that the file lacks
  std::vector<std::string> surplus{};     ///< tensors that the network lacks
  std::vector<std::string> mismatched{};  ///< of another shape
  std::size_t in_network{}, in_file{};    ///< how many numbers the parameters and the tensors have

  bool whole() const { return missing.empty() && surplus.empty() && mismatched.empty(); }
};

namespace detail {

// The current name of a parameter that files of 2022 name differently: query, key, value and proj_attn of attention.
inline std::string present_name(std::string name) {
  static constexpr struct {
    std::string_view old, present;
  } names[] = {{".query.", ".to_q."}, {".key.", ".to_k."}, {".value.", ".to_v."}, {".proj_attn.", ".to_out.0."}};
  for (const auto& [old, present] : names)
    if (const auto at = name.find(old); at != name.npos) name.replace(at, old.size(), present);
  return name;
}

// Whether the shapes are the same except for ones at the end of the file's shape, such as (C,C,1,1) for (C,C).
inline bool same_but_for_ones(const std::vector<std::size_t>& in_file, const std::vector<std::size_t>& wanted) {
  return in_file.size() >= wanted.size() && std::equal(wanted.begin(), wanted.end(), in_file.begin()) &&
         std::all_of(in_file.begin() + static_cast<std::ptrdiff_t>(wanted.size()), in_file.end(),
                     [](std::size_t n) { return n == 1; });
}

// The tensors of a file by the current names of parameters, without a prefix that all of them have.
using tensors_by_name = std::map<std::string, std::string, std::less<>>;

template <class = when_called>
tensors_by_name named_tensors(const safetensors_file& file, std::string_view prefix, weights_fit& fit) {
  tensors_by_name in_file;
  for (const std::string& name : file.names()) {
    if (!name.starts_with(prefix)) continue;
    std::size_t size = 1;
    for (const std::size_t n : file.extent(name)) size *= n;
    fit.in_file += size;
    if (!in_file.emplace(present_name(name.substr(prefix.size())), name).second)
      fit.surplus.push_back(name);  // both the old name and the current one are there
  }
  return in_file;
}

// "a, b and 7 more".
inline std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t most = 8;
  std::string text;
  for (std::size_t k = 0; k < (std::min)(names.size(), most); ++k) text += (k > 0 ? ", " : "") + names[k];
  if (names.size() > most) text += " and " + std::to_string(names.size() - most) + " more";
  return printable(text, 1000);
}

}  // namespace detail

/// Reports which of the tensors, whose names are `prefix` and a parameter's name, do not fit. Calls `use` with each
/// parameter and the tensor that fits it. If there is a prefix, other tensors are ignored. Attention may have the names
/// of 2022, and its weights may be (C,C,1,1). Only names and shapes are read.
template <class Use>
weights_fit compare_weights(const safetensors_file& file, const parameter_layout& layout, std::string_view prefix,
                            const Use& use) {
  weights_fit fit;
  fit.in_network = layout.count();
  detail::tensors_by_name in_file = detail::named_tensors(file, prefix, fit);
  for (const parameter& p : layout) {
    const auto found = in_file.find(p.name);
    if (found == in_file.end()) {
      fit.missing.push_back(p.name);
      continue;
    }
    const auto& extent = file.extent(found->second);
    if (detail::same_but_for_ones(extent, p.sizes))
      use(p, found->second);
    else
      fit.mismatched.push_back(found->second + " " + detail::shape_text(extent) + " for " +
                               detail::shape_text(p.sizes));
    in_file.erase(found);
  }
  for (const auto& [name, spelled] : in_file) fit.surplus.push_back(spelled);
  return fit;
}

/// Copies the tensors that fit (`compare_weights`) into their parameters' positions in the flat array, widened from
/// float16 or bfloat16, and reports what does not fit; those parameters stay unchanged. Throws `error` for tensors of
/// another type and for numbers that are not finite.
template <class = when_called>
weights_fit read_weights(const safetensors_file& file, const parameter_layout& layout, std::span<float> into,
                         std::string_view prefix = "") {
  return compare_weights(file, layout, prefix, [&](const parameter& p, const std::string& name) {
    const auto values = file.floats(name);
    for (const float value : values)
      if (!std::isfinite(value))
        reject(detail::printable(file.path()) + ": a number in the tensor " + detail::printable(name, 200), value,
               "finite");
    std::copy(values.begin(), values.end(), into.begin() + static_cast<std::ptrdiff_t>(p.offset));
  });
}

/// Throws `error` naming the file and what is missing, surplus or of another shape, unless everything fits. If the file
/// has another number of values, the message also says how many bytes the network's parameters take. `network` says
/// which network was wanted.
template <class = when_called>
void require_whole(const weights_fit& fit, std::string_view path,
                   std::string_view network = "the network that config.json describes") {
  if (fit.whole()) return;
  std::string found;
  const auto say = [&](const char* how, const std::vector<std::string>& names) {
    if (names.empty()) return;
    if (!found.empty()) found += "; ";
    found += how + detail::listed(names);
  };
  say("without ", fit.missing);
  say("with the unknown ", fit.surplus);
  say("with other shapes, ", fit.mismatched);
  const auto bytes = [](std::size_t numbers) { return std::to_string(sizeof(float) * numbers) + " bytes"; };
  if (fit.in_network != fit.in_file)
    found += ": " + bytes(fit.in_file) + " in memory, where the network has " + bytes(fit.in_network);
  throw error(detail::printable(path) + ": the weights are " + found + ", but they must be those of " +
              std::string{network});
}

}  // namespace softscore::inline SOFTSCORE_ABI
