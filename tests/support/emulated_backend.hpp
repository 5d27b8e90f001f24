#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <softscore/backend/cuda/activate.hpp>
#include <softscore/backend/cuda/attention.hpp>
#include <softscore/backend/cuda/channels.hpp>
#include <softscore/backend/cuda/concatenate.hpp>
#include <softscore/backend/cuda/conv2d.hpp>
#include <softscore/backend/cuda/device_backend.hpp>
#include <softscore/backend/cuda/dropout.hpp>
#include <softscore/backend/cuda/group_norm.hpp>
#include <softscore/backend/cuda/layer_norm.hpp>
#include <softscore/backend/cuda/layer_norm_gelu.hpp>
#include <softscore/backend/cuda/linear.hpp>
#include <softscore/backend/cuda/map_planes.hpp>
#include <softscore/backend/cuda/rows.hpp>
#include <softscore/backend/operations.hpp>
#include <softscore/backend/pooling.hpp>
#include <softscore/backend/resampling.hpp>
#include <softscore/core/error.hpp>

namespace softscore {

/// A device of the CUDA backend that is none: it runs the kernels on the host, block by block and thread by thread, so
/// that every index in them is tested on machines without a GPU. New memory holds rubbish, as on a device.
class emulated_device {
 public:
  class staging {
   public:
    void reserve(emulated_device&, std::size_t bytes, std::size_t) {
      if (bytes <= host_.size()) return;
      host_.resize(2 * bytes);
      device_.resize(2 * bytes);
    }
    std::byte* host() { return host_.data(); }
    std::byte* on_device() { return device_.data(); }

   private:
    std::vector<std::byte> host_, device_;
  };
  using graph = std::vector<std::function<void()>>;

  /// With room for that many bytes.
  explicit emulated_device(std::size_t room = std::numeric_limits<std::size_t>::max()) : room_{room} {}
  ~emulated_device() {
    for (const auto& [address, bytes] : blocks_) std::free(address);
  }
  emulated_device(const emulated_device&) = delete;
  emulated_device& operator=(const emulated_device&) = delete;

  void* try_allocate(std::size_t bytes) {
    if (bytes > room_) return nullptr;
    void* address = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
    std::memset(address, 0xFF, bytes);
    room_ -= bytes;
    blocks_[address] = bytes;
    ++allocations;
    return address;
  }
  void* allocate(std::size_t bytes) {
    if (void* address = try_allocate(bytes)) return address;
    throw error("the emulated device asked for " + std::to_string(bytes) + " bytes, but " + std::to_string(room_) +
                " are free");
  }
  void release(void* address) {
    room_ += blocks_.at(address);
    blocks_.erase(address);
    std::free(address);
  }

  void* share(std::size_t bytes) { return std::calloc(1, bytes); }
  void unshare(void* address) { std::free(address); }

  void wait(staging&) {}
  void send(staging& from, std::byte* to, std::size_t bytes) {
    if (bytes > 0) std::memcpy(to, from.host(), bytes);
  }
  template <class Task>
  void launch(const Task& task, const std::byte* arguments) {
    const auto run = [task, arguments, reversed = backwards] {
      const detail::grid g = task.launch();
      for (std::size_t i = 0; i < g.blocks; ++i) {
        detail::host_group group{reversed ? g.blocks - 1 - i : i, g.threads, g.shared_bytes, reversed};
        task(group, arguments);
      }
    };
    run_or_capture(run);
  }
  void begin_capture() {
    capturing_ = true;
    captured_.clear();
  }
  graph end_capture() {
    capturing_ = false;
    return std::move(captured_);
  }
  void abandon_capture() { capturing_ = false; }
  void replay(const graph& of) {
    for (const auto& run : of) run();
  }
  void copy_to_device(void* to, const void* from, std::size_t bytes) { std::memcpy(to, from, bytes); }
  void copy_to_host(void* to, const void* from, std::size_t bytes) { std::memcpy(to, from, bytes); }
  void finish() {}

  std::size_t launches{}, allocations{};
  bool backwards{};  // blocks, and the threads of a block between two barriers, run from the last to the first

 protected:
  template <class Run>
  void run_or_capture(const Run& run) {
    if (capturing_)
      captured_.push_back(run);
    else
      run();
    ++launches;
  }

 private:
  std::size_t room_;
  std::map<void*, std::size_t> blocks_;
  bool capturing_{};
  graph captured_;
};

/// The CUDA backend on the emulated device.
class emulated_backend : public device_backend<emulated_device> {
 public:
  explicit emulated_backend(std::size_t graphs = 64, std::size_t room = std::numeric_limits<std::size_t>::max())
      : device_backend{std::make_shared<emulated_device>(room), graphs} {}
};
static_assert(NetworkBackend<emulated_backend, float> && NetworkBackend<emulated_backend, double>);

}  // namespace softscore
