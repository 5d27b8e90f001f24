#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <softscore/backend/operations.hpp>
#include <softscore/core/checked_size.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/shape.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {
// One stretch of memory that layers divide among themselves during planning. It is allocated when planning ends.
template <class Be, class T>
struct planned_memory {
  static constexpr std::size_t line = 16;  // elements, so that every part begins where a vector may

  std::size_t used{}, most{};
  std::optional<array_of<Be, T>> array{};

  std::size_t take(std::size_t elements) {
    const std::size_t begin = used, limit = most_bytes / sizeof(double);
    require(elements <= limit - line && used <= limit - line - elements, "elements of a network's activations",
            std::to_string(used) + " + " + std::to_string(elements), "at most " + std::to_string(limit));
    used += (elements + line - 1) / line * line;
    most = (std::max)(most, used);
    return begin;
  }
};
}  // namespace detail

/// A part of a network's memory, for as many images as were planned for. Its view exists once planning has ended.
template <class Be, class T>
class planned_array {
 public:
  planned_array() = default;
  planned_array(std::shared_ptr<detail::planned_memory<Be, T>> memory, std::size_t begin, const shape& one)
      : memory_{std::move(memory)}, begin_{begin}, one_{one.with_images(1)} {}

  /// The part of the first `images` images.
  view_of<Be, T> view(std::size_t images) const {
    return memory_->array->view().slice(begin_, one_.with_images(images));
  }
  /// The shape of one image's part.
  const shape& extent() const { return one_; }

 private:
  std::shared_ptr<detail::planned_memory<Be, T>> memory_;
  std::size_t begin_{};
  shape one_{};
};

/// Layers request their memory here, once, in the order of the forward pass. Nothing is allocated later.
///
/// `keep` is for what the backward pass reads. `temporary` is for what one call of `forward` or `backward` needs. While
/// a `temporary_scope` is alive, its arrays do not overlap with those requested by layers inside it; layers beside each
/// other share theirs. While a `recomputed_scope` is alive, `keep` returns memory that other such scopes share.
template <class Be, class T>
class planning {
 public:
  planning(Be& be, std::size_t images) : backend_{&be}, images_{images}, scratch_{make_scratch<T>(be)} {}

  Be& backend() const { return *backend_; }
  /// The largest batch.
  std::size_t images() const { return images_; }
  /// What the plans of convolutions share.
  const scratch_of<Be, T>& scratch() const { return scratch_; }

  /// The plan of a convolution, which shares that memory.
  conv2d_plan_of<Be, T> convolution(const conv2d_shape& sizes) {
    auto plan = make_conv2d<T>(*backend_, sizes, scratch_);
    if constexpr (requires { std::string_view{plan.describe()}; }) count(plan.describe());
    return plan;
  }
  /// A description, for people, of how the planned convolutions are computed: "convolutions: 4 by transform of length
  /// 32, 2 by plain loops". Empty if there are none, or if the backend has no description.
  std::string describe() const {
    std::string text;
    for (const auto& [method, number] : methods_)
      text += (text.empty() ? "convolutions: " : ", ") + std::to_string(number) + " by " + method;
    return text;
  }

  planned_array<Be, T> keep(const shape& one) { return take(recomputed_ ? again_ : kept_, one); }
  planned_array<Be, T> temporary(const shape& one) { return take(temporaries_, one); }

  class temporary_scope {
   public:
    explicit temporary_scope(planning& with) : memory_{*with.temporaries_}, begin_{memory_.used} {}
    temporary_scope(const temporary_scope&) = delete;
    temporary_scope& operator=(const temporary_scope&) = delete;
    ~temporary_scope() { memory_.used = begin_; }

   private:
    detail::planned_memory<Be, T>& memory_;
    std::size_t begin_;
  };

  class recomputed_scope {
   public:
    explicit recomputed_scope(planning& with) : with_{with}, outermost_{!with.recomputed_} { with.recomputed_ = true; }
    recomputed_scope(const recomputed_scope&) = delete;
    recomputed_scope& operator=(const recomputed_scope&) = delete;
    ~recomputed_scope() {
      if (!outermost_) return;
      with_.recomputed_ = false;
      with_.again_->used = 0;
    }

   private:
    planning& with_;
    bool outermost_;
  };

  /// Allocates the memory. Throws `error` if there is not enough.
  void finish() {
    for (const auto& memory : {kept_, again_, temporaries_})
      memory->array.emplace(backend_->template make<T>({memory->most / memory->line, 1, 1, memory->line}));
  }

  /// The elements of `keep`, of `keep` in recomputed scopes, and of `temporary`, in total.
  std::size_t elements() const { return kept_->most + again_->most + temporaries_->most; }

 private:
  void count(std::string_view method) {
    for (auto& [name, number] : methods_)
      if (name == method) {
        ++number;
        return;
      }
    methods_.emplace_back(method, 1);
  }

  using shared_memory = std::shared_ptr<detail::planned_memory<Be, T>>;

  planned_array<Be, T> take(const shared_memory& from, const shape& one) {
    const std::size_t elements = product_of("elements of an activation", {images_, one.channels, one.height, one.width},
                                            most_bytes / sizeof(double));
    return {from, from->take(elements), one};
  }

  Be* backend_;
  std::size_t images_;
  scratch_of<Be, T> scratch_;
  shared_memory kept_ = std::make_shared<detail::planned_memory<Be, T>>();
  shared_memory again_ = std::make_shared<detail::planned_memory<Be, T>>();
  shared_memory temporaries_ = std::make_shared<detail::planned_memory<Be, T>>();
  bool recomputed_{};
  std::vector<std::pair<std::string, std::size_t>> methods_{};  // of convolutions, and how many each one computes
};

}  // namespace softscore::inline SOFTSCORE_ABI
