#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include <softscore/core/checked_size.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/shape.hpp>
#include <softscore/core/view.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Memory of a device, which the host may not access.
struct cuda_space {
  static constexpr bool host = false;
};

namespace detail {

// Blocks of a device's memory that arrays returned, for the next array of that size. A backend's work runs in order, so
// a block may be reused while the device still works on its previous content.
template <class Device>
class device_pool {
 public:
  explicit device_pool(std::shared_ptr<Device> device) : device_{std::move(device)} {}
  device_pool(const device_pool&) = delete;
  device_pool& operator=(const device_pool&) = delete;
  ~device_pool() { trim(); }

  /// `flush()` starts the listed tasks before memory that they may use returns to the device.
  template <class Flush>
  void* take(std::size_t bytes, const Flush& flush) {
    const std::lock_guard guard{mutex_};
    auto& blocks = free_[rounded(bytes)];
    if (!blocks.empty()) {
      void* block = blocks.back();
      blocks.pop_back();
      return block;
    }
    void* block = device_->try_allocate(rounded(bytes));
    if (block == nullptr) {
      flush();
      trim();
      block = device_->allocate(rounded(bytes));  // or throws
    }
    blocks.reserve(++made_[rounded(bytes)]);
    return block;
  }
  void give_back(void* block, std::size_t bytes) {
    const std::lock_guard guard{mutex_};
    free_[rounded(bytes)].push_back(block);
  }

 private:
  static constexpr std::size_t unit = 512;
  static std::size_t rounded(std::size_t bytes) { return (bytes + unit - 1) / unit * unit; }
  void trim() {
    for (auto& [bytes, blocks] : free_) {
      for (void* block : blocks) device_->release(block);
      made_[bytes] -= blocks.size();
      blocks.clear();
    }
  }

  std::shared_ptr<Device> device_;
  std::mutex mutex_;
  std::map<std::size_t, std::vector<void*>> free_;
  std::map<std::size_t, std::size_t> made_;
};

}  // namespace detail

/// An owning batch in a device's memory. It moves but does not copy, and its memory returns to the backend's pool.
template <class T, class Device>
class device_array {
 public:
  device_array() = default;
  template <class Flush>
  device_array(shape extent, std::shared_ptr<detail::device_pool<Device>> pool, const Flush& flush)
      : memory_{nullptr, release{std::move(pool), bytes_of<T>(extent)}}, extent_{extent} {
    const release& owner = memory_.get_deleter();
    if (owner.bytes > 0) memory_.reset(static_cast<T*>(owner.pool->take(owner.bytes, flush)));
  }

  softscore::view<T, cuda_space> view() { return {memory_.get(), extent_}; }
  softscore::view<const T, cuda_space> view() const { return {memory_.get(), extent_}; }
  const shape& extent() const { return extent_; }

 private:
  struct release {
    std::shared_ptr<detail::device_pool<Device>> pool{};
    std::size_t bytes{};
    void operator()(T* data) const { pool->give_back(data, bytes); }
  };
  std::unique_ptr<T[], release> memory_;
  shape extent_{0, 0, 0, 0};
};

}  // namespace softscore::inline SOFTSCORE_ABI
