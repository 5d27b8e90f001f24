#pragma once

#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include <softscore/backend/host_verbs.hpp>

/// A host backend whose thread takes up another task, `meanwhile`, at each parallel loop before the loop's own tasks,
/// as a thread of a pool may while it waits for the others. So what happens now and then on many threads happens
/// always.
class stealing_backend : public softscore::host_verbs<stealing_backend> {
 public:
  std::function<void()> meanwhile;

  template <class Body>
  void parallel(std::size_t count, const Body& body) {
    if (const auto task = std::exchange(meanwhile, nullptr)) {  // whose own loops take up nothing more
      task();
      meanwhile = task;
    }
    for (std::size_t i = 0; i < count; ++i) body(i);
  }
};
static_assert(softscore::Backend<stealing_backend, float> && softscore::Backend<stealing_backend, double>);

/// Images enough for a loop that a host backend shares out.
inline constexpr softscore::shape stolen_extent{64, 2, 12, 12};

/// True if `call(backend, w, out)`, which computes with a level or time for each image that depends on `w`, stores the
/// same elements when the thread begins the same call with another `w` in the midst of it.
template <class Call>
bool survives_stealing(const Call& call) {
  stealing_backend be;
  auto want = be.make<float>(stolen_extent), got = be.make<float>(stolen_extent), other = be.make<float>(stolen_extent);
  call(be, 0.3, want.view());
  be.meanwhile = [&] { call(be, 0.9, other.view()); };
  call(be, 0.3, got.view());
  bool same = true;
  for (std::size_t i = 0; i < want.view().size(); ++i) same = same && want.view()[i] == got.view()[i];
  return same;
}

/// A level or time for each image of `stolen_extent`: `most` for the last, less for those before it.
template <class Quantity>
std::vector<Quantity> up_to(double most) {
  std::vector<Quantity> values(stolen_extent.images);
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i].value = most * static_cast<double>(i + 1) / static_cast<double>(values.size());
  return values;
}
