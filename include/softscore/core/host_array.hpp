#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <mutex>
#include <new>
#include <type_traits>
#include <utility>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <softscore/core/checked_size.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/shape.hpp>
#include <softscore/core/view.hpp>

namespace softscore::inline SOFTSCORE_ABI {

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
    while (sizes_ != nullptr) {
      for (free_block* block = sizes_->free; block != nullptr;) {
        free_block* const next = block->next;
        ::operator delete(block, alignment_of(sizes_->bytes));
        block = next;
      }
      delete std::exchange(sizes_, sizes_->next);
    }
  }

  void* take(std::size_t bytes) {
    {
      const std::lock_guard guard{mutex_};
      blocks_of_a_size& blocks = of_size(bytes);
      if (blocks.free != nullptr) return std::exchange(blocks.free, blocks.free->next);
    }
    void* block = ::operator new((std::max)(bytes, sizeof(free_block)), alignment_of(bytes));
#if defined(__linux__)
    // Passes over a batch go through more small pages than the processor remembers.
    if (bytes >= huge_page) ::madvise(block, bytes, MADV_HUGEPAGE);
#endif
    return block;
  }

  void give_back(void* block, std::size_t bytes) {
    const std::lock_guard guard{mutex_};
    blocks_of_a_size& blocks = of_size(bytes);
    blocks.free = new (block) free_block{blocks.free};
  }

 private:
  // What lies in a block while nobody has it, so that taking it back needs no memory.
  struct free_block {
    free_block* next;
  };
  struct blocks_of_a_size {
    std::size_t bytes;
    blocks_of_a_size* next;
    free_block* free{};
  };

  static std::align_val_t alignment_of(std::size_t bytes) {
    return std::align_val_t{bytes >= huge_page ? huge_page : alignment};
  }

  // A program has few sizes of arrays, so they are simply looked through.
  blocks_of_a_size& of_size(std::size_t bytes) {
    for (auto* each = sizes_; each != nullptr; each = each->next)
      if (each->bytes == bytes) return *each;
    sizes_ = new blocks_of_a_size{bytes, sizes_};
    return *sizes_;
  }

  std::mutex mutex_;
  blocks_of_a_size* sizes_{};
};

/// An owning batch in host memory, aligned for vector instructions and zero at first. It moves but does not copy, so
/// that no copy of a batch goes unseen. Its memory returns to the pool it came from.
template <class T>
class host_array {
 public:
  static_assert(std::is_trivially_copyable_v<T>);

  host_array() = default;
  /// Throws `error` for an extent of more bytes than there can be, and where there is no memory for them.
  explicit host_array(shape extent, std::shared_ptr<memory_pool> pool = std::make_shared<memory_pool>())
      : data_{nullptr, release{std::move(pool), bytes_of<T>(extent)}}, extent_{extent} {
    if (extent.size() == 0) return;
    const release& owner = data_.get_deleter();
    data_.reset(static_cast<T*>(with_memory("an array", owner.bytes, [&] { return owner.pool->take(owner.bytes); })));
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

}  // namespace softscore::inline SOFTSCORE_ABI
