#pragma once

#include <cstddef>
#include <memory>

#include <softscore/backend/tbb/backend.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/host_array.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Memory that is shared by plans that never run at the same time; it is as large as the largest request.
template <class T>
class tbb_scratch {
 public:
  /// Makes room for `count` elements. Call it only during planning; it invalidates earlier pointers.
  void reserve(std::size_t count) const {
    if (memory_->extent().size() < count) *memory_ = host_array<T>{shape{1, 1, 1, count}};
  }
  /// Aligned for vectors.
  T* data() const { return raw(memory_->view()); }

 private:
  std::shared_ptr<host_array<T>> memory_ = std::make_shared<host_array<T>>();
};

template <class T>
tbb_scratch<T> make_scratch(tbb_backend&) {
  return {};
}

}  // namespace softscore::inline SOFTSCORE_ABI
