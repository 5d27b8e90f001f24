#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <softscore/core/shape.hpp>
#include <softscore/core/view.hpp>

namespace softscore {

/// Keeps the blocks of host memory that arrays give back and hands them out again, so that after the first step of a
/// run nothing reaches the heap. Safe to use from several threads.
class memory_pool {
 public:
  static constexpr std::size_t alignment = 64;  // a cache line, and the widest vector
  static constexpr std::size_t huge_page = std::size_t{2} << 20;

  memory_pool() = default;
  memory_pool(const memory_pool&) = delete;
  memory_pool& operator=(const memory_pool&) = delete;
  ~memory_pool() {
    for (auto& [bytes, blocks] : sizes_)
      for (void* block : blocks.free) ::operator delete(block, alignment_of(bytes));
  }

  void* take(std::size_t bytes) {
    {
      const std::lock_guard guard{mutex_};
      auto& blocks = sizes_[bytes];
      if (!blocks.free.empty()) {
        void* block = blocks.free.back();
        blocks.free.pop_back();
        return block;
      }
      // A block that comes back must find room without a new allocation.
      blocks.free.reserve(++blocks.made);
    }
    void* block = ::operator new(bytes, alignment_of(bytes));
#if defined(__linux__)
    // Passes over a batch go through more small pages than the processor remembers.
    if (bytes >= huge_page) ::madvise(block, bytes, MADV_HUGEPAGE);
#endif
    return block;
  }

  void give_back(void* block, std::size_t bytes) {
    const std::lock_guard guard{mutex_};
    sizes_[bytes].free.push_back(block);
  }

 private:
  static std::align_val_t alignment_of(std::size_t bytes) {
    return std::align_val_t{bytes >= huge_page ? huge_page : alignment};
  }

  struct blocks_of_a_size {
    std::vector<void*> free;
    std::size_t made{};
  };

  std::mutex mutex_;
  std::map<std::size_t, blocks_of_a_size> sizes_;
};

/// An owning batch in host memory, aligned for vector instructions and zero at first. It moves but does not copy, so
/// that no copy of a batch goes unseen. Its memory returns to the pool it came from.
template <class T>
class host_array {
 public:
  static_assert(std::is_trivially_copyable_v<T>);

  host_array() = default;
  explicit host_array(shape extent, std::shared_ptr<memory_pool> pool = std::make_shared<memory_pool>())
      : data_{nullptr, release{std::move(pool), extent.size() * sizeof(T)}}, extent_{extent} {
    if (extent.size() == 0) return;
    data_.reset(static_cast<T*>(data_.get_deleter().pool->take(extent.size() * sizeof(T))));
    std::uninitialized_fill_n(data_.get(), extent.size(), T{});
  }

  softscore::view<T, host_space> view() { return {data_.get(), extent_}; }
  softscore::view<const T, host_space> view() const { return {data_.get(), extent_}; }
  const shape& extent() const { return extent_; }

 private:
  struct release {
    std::shared_ptr<memory_pool> pool;
    std::size_t bytes{};
    void operator()(T* data) const { pool->give_back(data, bytes); }
  };
  std::unique_ptr<T[], release> data_;
  shape extent_{0, 0, 0, 0};
};

}  // namespace softscore
