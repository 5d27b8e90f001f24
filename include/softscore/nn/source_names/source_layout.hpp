#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <softscore/backend/attention_shape.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/nn/parameters.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The parameters of a network under the names of another library: each tensor of a file, and where its rows (equal
/// parts, contiguous in the file) are in the network's flat array.
class source_layout {
 public:
  /// For a network with these parameters; none of them has a name yet.
  template <class = when_called>
  explicit source_layout(const parameter_layout& network) {
    for (const parameter& p : network) network_.emplace(p.name, p);
  }
  /// The network's own names.
  template <class = when_called>
  static source_layout same(const parameter_layout& network) {
    source_layout all{network};
    for (const parameter& p : network) all.add(p.name, p.name);
    return all;
  }

  /// Whether the network has a parameter of that name.
  bool has(std::string_view ours) const { return network_.contains(ours); }
  /// The network's parameter of that name; throws `error` if there is none.
  template <class = when_called>
  const parameter& ours(std::string_view name) const {
    const auto found = network_.find(name);
    require(found != network_.end(), "a parameter's name", name, "one of the network's");
    return found->second;
  }
  /// How many parameters of the network have no name yet.
  std::size_t unnamed() const { return network_.size() - named_; }

  /// Adds a tensor that is one parameter. Files may append sizes of 1 to its shape.
  template <class = when_called>
  void add(const std::string& source, const std::string& name) {
    const parameter& p = ours(name);
    put(source, p.sizes, {p.offset}, p.trained);
    ++named_;
  }
  /// Adds `weight` and, if the network has it, `bias`.
  template <class = when_called>
  void add_pair(const std::string& source, const std::string& name) {
    add(source + ".weight", name + ".weight");
    if (has(name + ".bias")) add(source + ".bias", name + ".bias");
  }
  /// Adds `weight` and `bias` of q, k and v, which share one tensor each, for heads of that many channels; 0: one head.
  /// All orders have the same shape: that of guided-diffusion's QKVAttentionLegacy is head_qkv_channel, that of its
  /// QKVAttention is qkv_head_channel, and EDM's is head_channel_qkv.
  template <class = when_called>
  void add_heads(const std::string& source, const std::string& attention, std::size_t head_width, qkv_order order) {
    for (const char* const end : {".weight", ".bias"}) {
      if (!has(attention + ".to_q" + end)) continue;
      const parameter* const parts[] = {&ours(attention + ".to_q" + end), &ours(attention + ".to_k" + end),
                                        &ours(attention + ".to_v" + end)};
      std::vector<std::size_t> sizes = parts[0]->sizes;
      const std::size_t inner = sizes.front(), width = head_width == 0 ? inner : head_width,
                        columns = parts[0]->size() / inner;
      std::vector<std::size_t> rows;
      for (std::size_t r = 0; r < 3 * inner; ++r) {
        std::size_t part = r / inner, row = r % inner;
        if (order == qkv_order::head_qkv_channel) {
          part = r / width % 3;
          row = r / (3 * width) * width + r % width;
        } else if (order == qkv_order::head_channel_qkv) {
          part = r % 3;
          row = r / 3;
        }
        rows.push_back(parts[part]->offset + row * columns);
      }
      sizes.front() = 3 * inner;
      put(source + end, std::move(sizes), std::move(rows), true);
      named_ += 3;
    }
  }

  /// The tensors in the file's shapes; their offsets have no meaning.
  const parameter_layout& tensors() const { return tensors_; }
  /// Copies a tensor's numbers, in the file's order, to their positions in the network's flat array.
  template <class T>
  void scatter(const parameter& tensor, std::span<const T> values, std::span<T> flat) const {
    each_row(tensor, [&](std::size_t from, std::size_t place, std::size_t count) {
      std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(from), count,
                  flat.begin() + static_cast<std::ptrdiff_t>(place));
    });
  }
  /// Returns the numbers of a tensor, in the file's order, from such an array, which may also hold gradients.
  template <class T>
  std::vector<T> gather(const parameter& tensor, std::span<const T> flat) const {
    std::vector<T> values(tensor.size());
    each_row(tensor, [&](std::size_t to, std::size_t place, std::size_t count) {
      std::copy_n(flat.begin() + static_cast<std::ptrdiff_t>(place), count,
                  values.begin() + static_cast<std::ptrdiff_t>(to));
    });
    return values;
  }

 private:
  void put(const std::string& source, std::vector<std::size_t> sizes, std::vector<std::size_t> rows, bool trained) {
    rows_.emplace(source, std::move(rows));
    tensors_.add(source, std::move(sizes), first_values{}, trained);
  }
  template <class F>
  void each_row(const parameter& tensor, const F& f) const {
    const auto found = rows_.find(tensor.name);
    require(found != rows_.end(), "a tensor's name", tensor.name, "one of those of `tensors`");
    const std::vector<std::size_t>& rows = found->second;
    const std::size_t count = tensor.size() / rows.size();
    for (std::size_t r = 0; r < rows.size(); ++r) f(r * count, rows[r], count);
  }

  std::map<std::string, parameter, std::less<>> network_;
  std::map<std::string, std::vector<std::size_t>, std::less<>> rows_{};
  parameter_layout tensors_{};
  std::size_t named_{};
};

}  // namespace softscore::inline SOFTSCORE_ABI
