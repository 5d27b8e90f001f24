#pragma once

#include <atomic>

#include <pthread.h>

#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// Of a process's threads a fork copies only the one that forks. Those of oneTBB are missing in the child, whose copy of
// oneTBB waits for them and for the locks that they held; so once it has run, the child leaves it alone.
class forks {
 public:
  // To be called before the first loop.
  static void watch() {
    static const int watching = ::pthread_atfork(nullptr, nullptr, [] {
      if (threads_began_.load(std::memory_order_relaxed)) threads_lost_.store(true, std::memory_order_relaxed);
    });
    static_cast<void>(watching);
  }
  // The process, or a parent before its fork, has run a loop of oneTBB.
  static void threads_begin() {
    if (!threads_began_.load(std::memory_order_relaxed)) threads_began_.store(true, std::memory_order_relaxed);
  }
  // This process is a child that has lost them.
  static bool threads_lost() { return threads_lost_.load(std::memory_order_relaxed); }

 private:
  static inline constinit std::atomic<bool> threads_began_{false}, threads_lost_{false};
};

// Deletes what belongs to oneTBB where that is safe.
struct delete_unless_forked {
  template <class T>
  void operator()(T* object) const {
    if (!forks::threads_lost()) delete object;
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
