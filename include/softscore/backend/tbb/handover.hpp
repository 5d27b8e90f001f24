#pragma once

#include <atomic>

#include <softscore/core/config.hpp>

#if defined(__SANITIZE_THREAD__)
#define SOFTSCORE_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SOFTSCORE_THREAD_SANITIZER 1
#endif
#endif

namespace softscore::inline SOFTSCORE_ABI::detail {

/// Tells the thread sanitizer what oneTBB guarantees: everything that the caller did happens before every task, and
/// every task happens before everything that the caller does next. oneTBB ensures this inside its library, which was
/// not compiled for the sanitizer, so without this class each array that a task uses would be reported. Tasks of one
/// loop stay unordered among themselves, so races between them are found. Without the sanitizer it does nothing.
class handover {
 public:
#if defined(SOFTSCORE_THREAD_SANITIZER)
  void give() { given_.fetch_add(1, std::memory_order_acq_rel); }
  void take() { static_cast<void>(given_.load(std::memory_order_acquire)); }

 private:
  std::atomic<unsigned> given_{};
#else
  static void give() {}
  static void take() {}
#endif
};

/// A body as a loop of oneTBB copies it from task to task: it synchronizes with the caller before and after it runs.
/// What it refers to must have been made before `begun.give()`.
template <class Body>
struct handed_over {
  const Body& body;
  handover &begun, &ended;

  template <class Range>
  void operator()(const Range& range) const {
    begun.take();
    body(range);
    ended.give();
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
