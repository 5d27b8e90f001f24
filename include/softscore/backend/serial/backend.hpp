#pragma once

#include <cstddef>

#include <softscore/backend/archetype.hpp>
#include <softscore/backend/host_verbs.hpp>
#include <softscore/backend/run_tasks.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// One thread and plain loops: the oracle that every other backend is checked against.
class serial_backend : public host_verbs<serial_backend> {
 public:
  /// Calls `body(i)` for i = 0 .. count - 1, in that order.
  template <class Body>
  void parallel(std::size_t count, const Body& body) const {
    detail::run_tasks(body, 0, count);
  }
};
static_assert(Backend<serial_backend, float> && Backend<serial_backend, double> && HostBackend<serial_backend>);

}  // namespace softscore::inline SOFTSCORE_ABI
