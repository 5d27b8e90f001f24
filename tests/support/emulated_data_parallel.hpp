#pragma once

#include <barrier>
#include <cstddef>
#include <limits>
#include <memory>
#include <vector>

#include <softscore/backend/cuda/data_parallel.hpp>

#include "emulated_backend.hpp"

namespace softscore {

/// Where the ranks of an emulated data-parallel group meet, each in a thread of its own.
struct emulated_meeting {
  explicit emulated_meeting(std::size_t ranks) : arrays(ranks), arrival{static_cast<std::ptrdiff_t>(ranks)} {}
  std::vector<void*> arrays;
  std::barrier<> arrival;
};

/// An emulated device that averages with others, in the order of the ranks.
class emulated_data_parallel_device : public emulated_device {
 public:
  emulated_data_parallel_device(emulated_meeting& meeting, std::size_t rank) : meeting_{meeting}, rank_{rank} {}

  std::size_t rank() const { return rank_; }
  std::size_t ranks() const { return meeting_.arrays.size(); }

  using emulated_device::launch;
  template <class T>
  void launch(const detail::average_task<T>& task, const std::byte*) {
    const auto run = [this, task] {
      meeting_.arrays[rank_] = task.data;
      meeting_.arrival.arrive_and_wait();
      std::vector<T> means(task.size);
      for (std::size_t i = 0; i < task.size; ++i) {
        for (void* of_rank : meeting_.arrays) means[i] += static_cast<const T*>(of_rank)[i];
        means[i] /= static_cast<T>(ranks());
      }
      meeting_.arrival.arrive_and_wait();
      for (std::size_t i = 0; i < task.size; ++i) task.data[i] = means[i];
      meeting_.arrival.arrive_and_wait();
    };
    run_or_capture(run);
  }

 private:
  emulated_meeting& meeting_;
  std::size_t rank_;
};

class emulated_data_parallel_backend : public data_parallel_backend<emulated_data_parallel_device> {
 public:
  emulated_data_parallel_backend(emulated_meeting& meeting, std::size_t rank, std::size_t graphs = 64)
      : data_parallel_backend{std::make_shared<emulated_data_parallel_device>(meeting, rank), graphs} {}
};
static_assert(Backend<emulated_data_parallel_backend, float> && TrainsTogether<emulated_data_parallel_backend>);
static_assert(!TrainsTogether<emulated_backend>);

}  // namespace softscore
