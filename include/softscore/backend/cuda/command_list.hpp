#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <list>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include <softscore/backend/cuda/tasks.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// The work requested from a backend that the device has not received yet: a list of tasks, with their arguments stored
// separately. `flush` submits it. A list that comes a second time with the same tasks, and any arguments, is captured
// as a graph. From then on its arguments are sent and the graph is launched. So a training step, or a sampling step,
// costs one launch, and neither the loops nor the user have to say where a step begins.
//
// A Device offers
//   Device::staging      memory of the host to send arguments from, and as much on the device to send them to:
//                        `reserve(device, bytes, keep)`, `host()`, `on_device()`
//   wait(staging)        until what was sent from it last has arrived
//   send(staging, to, bytes), launch(task, arguments)
//   begin_capture(), end_capture() -> Device::graph, abandon_capture(), replay(graph)
//   try_allocate(bytes) -> nullptr if there is no room, allocate(bytes), release(address)
//   share(bytes) -> memory that both sides reach, unshare(address)
//   copy_to_device(to, from, bytes), copy_to_host(to, from, bytes), which wait, and finish()
template <class Device>
class command_list {
 public:
  /// Keeps up to `most_graphs` lists as graphs; 0 means that every task is launched separately.
  explicit command_list(std::shared_ptr<Device> device, std::size_t most_graphs)
      : device_{std::move(device)}, most_graphs_{most_graphs} {}
  command_list(const command_list&) = delete;
  command_list& operator=(const command_list&) = delete;
  ~command_list() {
    for (segment& s : segments_) drop(s);
  }

  /// Adds a task to the list; `write(address)` writes its `bytes` of arguments.
  template <class Task, class Write>
  void note(const Task& task, std::size_t bytes, const Write& write) {
    static_assert(std::is_trivially_copyable_v<Task> && std::has_unique_object_representations_v<Task>,
                  "a task is compared byte by byte");
    if (task.launch().blocks == 0) return;
    if (entries_.size() == most_entries ||
        (argument_bytes_ > 0 && argument_bytes_ + aligned(bytes) > most_argument_bytes))
      flush();
    if (entries_.empty()) device_->wait(slot());
    slot().reserve(*device_, argument_bytes_ + aligned(bytes), argument_bytes_);
    if (bytes > 0) write(slot().host() + argument_bytes_);
    entries_.push_back({&run<Task>, tasks_.size(), sizeof(Task), argument_bytes_});
    tasks_.resize(tasks_.size() + aligned(sizeof(Task)));
    std::memcpy(tasks_.data() + entries_.back().at, &task, sizeof(Task));
    argument_bytes_ += aligned(bytes);
  }
  template <class Task>
  void note(const Task& task) {
    note(task, 0, [](std::byte*) {});
  }

  /// Starts all tasks of the list.
  void flush() {
    if (entries_.empty()) return;
    const cleared when_done{*this};  // even after an error, or it would run again
    segment* known = most_graphs_ > 0 && entries_.size() >= least_entries ? &segment_of_these() : nullptr;
    if (known != nullptr && known->graph) {
      device_->send(slot(), known->arguments, argument_bytes_);
      device_->replay(*known->graph);
      ++replays_;
    } else if (known != nullptr && known->seen >= 2) {
      // Kept for the next time, even if the capture fails.
      if (known->arguments == nullptr)
        known->arguments = static_cast<std::byte*>(device_->allocate(std::max<std::size_t>(argument_bytes_, 1)));
      device_->begin_capture();
      try {
        run_all(known->arguments);
      } catch (...) {
        device_->abandon_capture();
        throw;
      }
      known->graph.emplace(device_->end_capture());
      device_->send(slot(), known->arguments, argument_bytes_);
      device_->replay(*known->graph);
      ++replays_;
    } else {
      device_->send(slot(), slot().on_device(), argument_bytes_);
      run_all(slot().on_device());
    }
  }

  /// How many lists were started as graphs, and how many are kept.
  std::size_t replays() const { return replays_; }
  std::size_t graphs() const {
    std::size_t count = 0;
    for (const segment& s : segments_) count += s.graph.has_value();
    return count;
  }

 private:
  static constexpr std::size_t most_entries = 4096, least_entries = 3, most_argument_bytes = std::size_t{4} << 20,
                               slots = 4;

  struct entry {
    void (*run)(Device&, const std::byte* task, const std::byte* arguments);
    std::size_t at, bytes, arguments;
    friend bool operator==(const entry&, const entry&) = default;
  };
  struct segment {
    std::uint64_t hash{};
    std::vector<entry> entries{};
    std::vector<std::byte> tasks{};
    std::size_t seen{};
    std::byte* arguments{};
    std::optional<typename Device::graph> graph{};
  };

  struct cleared {
    command_list& of;
    ~cleared() { of.clear(); }
  };

  template <class Task>
  static void run(Device& device, const std::byte* bytes, const std::byte* arguments) {
    Task task;
    std::memcpy(&task, bytes, sizeof(Task));
    device.launch(task, arguments);
  }
  void run_all(const std::byte* arguments) {
    for (const entry& e : entries_) e.run(*device_, tasks_.data() + e.at, arguments + e.arguments);
  }

  // The list as it came before, or a new one in its place; the most recently used one is first.
  segment& segment_of_these() {
    std::uint64_t hash = 0xCBF29CE484222325u;
    const auto mix = [&](std::uint64_t word) { hash = (hash ^ word) * 0x100000001B3u, hash ^= hash >> 29; };
    for (const entry& e : entries_) mix(reinterpret_cast<std::uintptr_t>(e.run)), mix(e.arguments);
    for (std::size_t i = 0; i + sizeof(std::uint64_t) <= tasks_.size(); i += sizeof(std::uint64_t)) {
      std::uint64_t word{};
      std::memcpy(&word, tasks_.data() + i, sizeof(word));
      mix(word);
    }
    const auto found = std::find_if(segments_.begin(), segments_.end(), [&](const segment& s) {
      return s.hash == hash && s.entries == entries_ && s.tasks == tasks_;
    });
    if (found != segments_.end()) {
      segments_.splice(segments_.begin(), segments_, found);
    } else {
      if (segments_.size() >= most_graphs_) {
        drop(segments_.back());
        segments_.pop_back();
      }
      segments_.push_front({hash, entries_, tasks_});
    }
    ++segments_.front().seen;
    return segments_.front();
  }
  void drop(segment& s) {
    s.graph.reset();
    if (s.arguments != nullptr) device_->release(s.arguments);
  }

  typename Device::staging& slot() { return slots_[slot_]; }
  void clear() {
    entries_.clear();
    tasks_.clear();
    argument_bytes_ = 0;
    slot_ = (slot_ + 1) % slots;
  }

  std::shared_ptr<Device> device_;
  std::size_t most_graphs_, replays_{};
  std::vector<entry> entries_;
  std::vector<std::byte> tasks_;
  std::size_t argument_bytes_{};  // bytes of them
  typename Device::staging slots_[slots];
  std::size_t slot_{};
  std::list<segment> segments_;
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
