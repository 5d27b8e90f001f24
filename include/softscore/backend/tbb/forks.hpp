#pragma once

#include <atomic>

#include <pthread.h>

#include <softscore/core/config.hpp>

namespace softscore {  // shared

/// Whether this process, or a parent before its fork, has run a loop of oneTBB, and whether it is a child that has lost
/// the threads. The threads belong to the process, so all its modules and instruction sets read the same answer.
struct [[gnu::visibility("default")]] tbb_threads {
  static inline constinit std::atomic<bool> began{false}, lost{false};
};

}  // namespace softscore

namespace softscore::inline SOFTSCORE_ABI::detail {

// A fork copies only the thread that forks. The threads of oneTBB are missing in the child, whose copy of oneTBB waits
// for them and for the locks that they held. So if oneTBB has run before, the child does not use it.
class forks {
 public:
  // Must be called before the first loop.
  static void watch() {
    static const int watching = ::pthread_atfork(nullptr, nullptr, [] {
      if (tbb_threads::began.load(std::memory_order_relaxed)) tbb_threads::lost.store(true, std::memory_order_relaxed);
    });
    static_cast<void>(watching);
  }
  static void threads_begin() {
    if (!tbb_threads::began.load(std::memory_order_relaxed)) tbb_threads::began.store(true, std::memory_order_relaxed);
  }
  static bool threads_lost() { return tbb_threads::lost.load(std::memory_order_relaxed); }
};

// Deletes what belongs to oneTBB if that is safe.
struct delete_unless_forked {
  template <class T>
  void operator()(T* object) const {
    if (!forks::threads_lost()) delete object;
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
