#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
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

#if defined(__linux__)
// Defined if the program contains the address sanitizer, null otherwise.
extern "C" [[gnu::weak, gnu::visibility("default")]] void softscore_address_sanitizer() __asm__("__asan_init");
#endif

namespace softscore::inline SOFTSCORE_ABI {

/// Keeps the blocks of host memory that arrays give back, and hands them out again, so that a run allocates nothing
/// after its first step. Safe to use from several threads.
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
        give_up(block, sizes_->bytes);
        block = next;
      }
      delete std::exchange(sizes_, sizes_->next);
    }
  }

  /// A block, and whether its bytes are known to be zero.
  struct taken_block {
    void* bytes;
    bool zero;
  };
  /// Throws `std::bad_alloc` if there is no memory.
  taken_block take(std::size_t bytes) {
    {
      const std::lock_guard guard{mutex_};
      blocks_of_a_size& blocks = of_size(bytes);
      if (blocks.free != nullptr) return {std::exchange(blocks.free, blocks.free->next), false};
    }
#if defined(__linux__)
    if (has_fresh_pages(bytes)) return {fresh_pages(bytes), true};
#endif
    return {::operator new((std::max)(bytes, sizeof(free_block)), std::align_val_t{alignment}), false};
  }

  void give_back(void* block, std::size_t bytes) {
    const std::lock_guard guard{mutex_};
    blocks_of_a_size& blocks = of_size(bytes);
    blocks.free = new (block) free_block{blocks.free};
  }

 private:
  // This header lies inside a free block, so giving a block back needs no memory.
  struct free_block {
    free_block* next;
  };
  struct blocks_of_a_size {
    std::size_t bytes;
    blocks_of_a_size* next;
    free_block* free{};
  };

#if defined(__linux__)
  // The sanitizer sees only the heap, so under it large blocks are allocated there too. We ask the program, not the
  // flags of this file, because one file may take a block and another may give it back.
  static bool has_fresh_pages(std::size_t bytes) {
    void (*const sanitizer)() = &softscore_address_sanitizer;
    return bytes >= huge_page && sanitizer == nullptr;
  }

  static constexpr std::size_t whole_pages(std::size_t bytes) {
    return (bytes + huge_page - 1) / huge_page * huge_page;
  }

  // Large blocks come from the system: its pages are zero, and use no memory before something is written to them. They
  // are huge pages, because a pass over a batch touches more small pages than the processor's TLB holds.
  static void* fresh_pages(std::size_t bytes) {
    if (bytes > (std::numeric_limits<std::size_t>::max)() - 2 * huge_page) throw std::bad_alloc{};
    const std::size_t room = whole_pages(bytes) + huge_page;
    void* const mapped = ::mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) throw std::bad_alloc{};
    auto* const begin = static_cast<std::byte*>(mapped);
    const std::size_t before = (huge_page - reinterpret_cast<std::uintptr_t>(begin) % huge_page) % huge_page;
    if (before > 0) ::munmap(begin, before);
    ::munmap(begin + before + whole_pages(bytes), huge_page - before);
    ::madvise(begin + before, bytes, MADV_HUGEPAGE);
    return begin + before;
  }
#endif

  static void give_up(void* block, std::size_t bytes) {
#if defined(__linux__)
    if (has_fresh_pages(bytes)) {
      ::munmap(block, whole_pages(bytes));
      return;
    }
#endif
    static_cast<void>(bytes);
    ::operator delete(block, std::align_val_t{alignment});
  }

  // A program uses few sizes of arrays, so a linear search is enough.
  blocks_of_a_size& of_size(std::size_t bytes) {
    for (auto* each = sizes_; each != nullptr; each = each->next)
      if (each->bytes == bytes) return *each;
    sizes_ = new blocks_of_a_size{bytes, sizes_};
    return *sizes_;
  }

  std::mutex mutex_;
  blocks_of_a_size* sizes_{};
};

/// An owning batch in host memory, aligned for vector instructions and initialized to zero. It moves but does not copy,
/// so that every copy of a batch is explicit. Its memory returns to the pool it came from.
template <class T>
class host_array {
 public:
  static_assert(std::is_trivially_copyable_v<T>);

  host_array() = default;
  /// Throws `error` if the extent has more bytes than an object may have, or if there is not enough memory.
  explicit host_array(shape extent, std::shared_ptr<memory_pool> pool = std::make_shared<memory_pool>())
      : data_{nullptr, release{std::move(pool), bytes_of<T>(extent)}}, extent_{extent} {
    if (extent.size() == 0) return;
    const release& owner = data_.get_deleter();
    const auto taken = with_memory("an array", owner.bytes, [&] { return owner.pool->take(owner.bytes); });
    data_.reset(static_cast<T*>(taken.bytes));
    // A number whose bytes are zero is zero, and pages that nobody writes to use no memory.
    if (!taken.zero || !std::is_arithmetic_v<T>) std::uninitialized_fill_n(data_.get(), extent.size(), T{});
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
