#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <new>
#include <type_traits>

#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// Blocks of memory that pooled arrays have given back. It takes no lock and has neither constructor nor destructor, so
// it works in the child of a fork and in destructors that run after main.
class block_pool {
 public:
  struct block {
    std::size_t bytes;  // after the header
    std::size_t home;   // the slot it was last in: a thread that repeats its calls finds the same blocks
  };
  // The distance from the start of a block's header to its bytes, which are aligned for every plain type.
  static constexpr std::size_t header =
      (std::max)(sizeof(block), static_cast<std::size_t>(__STDCPP_DEFAULT_NEW_ALIGNMENT__));

  block* take(std::size_t bytes) {
    std::size_t home = 0;
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      if (slots_[i].load(std::memory_order_relaxed) == nullptr) continue;
      block* const found = slots_[i].exchange(nullptr, std::memory_order_acquire);
      if (found == nullptr) continue;
      if (found->bytes >= bytes) return found;
      home = i;
      ::operator delete(found);
      break;
    }
    // Blocks only grow, so the pool soon holds none that is too small.
    const std::size_t room = std::bit_ceil((std::max)(bytes, std::size_t{1024}));
    return new (::operator new(header + room)) block{room, home};
  }

  void give_back(block* mine) {
    if (put(mine, mine->home)) return;
    for (std::size_t i = 0; i < slots_.size(); ++i)
      if (put(mine, i)) return;
    ::operator delete(mine);
  }

 private:
  bool put(block* mine, std::size_t slot) {
    mine->home = slot;
    block* nobody = nullptr;
    return slots_[slot].compare_exchange_strong(nobody, mine, std::memory_order_release, std::memory_order_relaxed);
  }

  std::array<std::atomic<block*>, 64> slots_{};
};

inline constinit block_pool pooled_blocks{};

// A temporary array for the length of one call, with one number per image of a batch, that a `per_image` may refer to
// while a parallel loop runs. In steady state it takes nothing from the heap. The memory belongs to the call, not to
// the thread: a thread that waits for a loop may begin another task that makes the same call and would overwrite a
// buffer of the thread.
template <class T>
class pooled_array {
  static_assert(std::is_trivially_copyable_v<T> && alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);

 public:
  using value_type = T;

  pooled_array() = default;
  explicit pooled_array(std::size_t count) { resize(count); }
  pooled_array(const pooled_array&) = delete;
  pooled_array& operator=(const pooled_array&) = delete;
  ~pooled_array() { give_back(); }

  // Resizes to `count` elements, whose values are not set.
  void resize(std::size_t count) {
    give_back();
    block_ = pooled_blocks.take(count * sizeof(T));
    data_ = reinterpret_cast<T*>(reinterpret_cast<std::byte*>(block_) + block_pool::header);
    size_ = count;
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  std::size_t size() const { return size_; }
  T& operator[](std::size_t i) { return data_[i]; }
  const T& operator[](std::size_t i) const { return data_[i]; }

 private:
  void give_back() {
    if (block_ != nullptr) pooled_blocks.give_back(block_);
    block_ = nullptr;
  }

  block_pool::block* block_{};
  T* data_{};
  std::size_t size_{};
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
