#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

#include <softscore/core/config.hpp>
#include <softscore/core/shape.hpp>
#include <softscore/nn/unet/graph.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// Where the gradients of a U-Net's values are during the backward pass. A value's gradient lives from the last step
// that reads the value to the step that makes it, in a slot that others use before and after.
class gradient_slots {
 public:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);

  // `extent(value)` is one image's shape.
  template <class Extent>
  gradient_slots(const unet_graph& g, const Extent& extent)
      : of_(g.values.size(), none), adds_(g.steps.size()), largest_{1, 0, 1, 1} {
    std::vector<bool> begun(g.values.size());
    for (std::size_t k = g.steps.size(); k-- > 0;) {
      const unet_step& s = g.steps[k];
      const std::array<std::size_t, 2> read{s.in, s.beside};
      for (std::size_t i = 0; i < 2; ++i) {
        const std::size_t value = read[i];
        if (value == none) continue;
        const shape one = extent(value);
        adds_[k][i] = begun[value];
        if (begun[value] && !adds_itself(s.what) && one.per_image() > largest_.per_image()) largest_ = one;
        if (!begun[value] && value != 0) take(value, one.per_image());
        begun[value] = true;
      }
      if (of_[s.out] != none) free_.push_back(of_[s.out]);
    }
  }

  // The slot of each value; none for the input and the output, whose gradients are the caller's.
  const std::vector<std::size_t>& of_values() const { return of_; }
  // For the values that a step reads: whether a later step has written their gradients already, so that this one's is
  // added.
  const std::vector<std::array<bool, 2>>& adds() const { return adds_; }
  // The number of elements per image in each slot.
  const std::vector<std::size_t>& elements() const { return elements_; }
  // The largest of the gradients that are computed separately and then added.
  const shape& largest_addend() const { return largest_; }

 private:
  static bool adds_itself(unet_operation what) {
    return what == unet_operation::residual || what == unet_operation::attend;
  }

  // Takes the smallest free slot that is large enough; otherwise the largest, which grows.
  void take(std::size_t value, std::size_t room) {
    if (free_.empty()) {
      free_.push_back(elements_.size());
      elements_.push_back(0);
    }
    const auto best = std::min_element(free_.begin(), free_.end(), [&](std::size_t a, std::size_t b) {
      const bool a_fits = elements_[a] >= room, b_fits = elements_[b] >= room;
      if (a_fits != b_fits) return a_fits;
      return a_fits ? elements_[a] < elements_[b] : elements_[a] > elements_[b];
    });
    of_[value] = *best;
    elements_[*best] = (std::max)(elements_[*best], room);
    free_.erase(best);
  }

  std::vector<std::size_t> of_;
  std::vector<std::array<bool, 2>> adds_;
  std::vector<std::size_t> elements_{}, free_{};
  shape largest_;
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
