#pragma once

#include <cstddef>
#include <exception>
#include <memory>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#if !__has_include(<nccl.h>)
#error \
    "softscore/backend/cuda/data_parallel.cuh needs NCCL: link softscore::nccl (find_package(softscore COMPONENTS nccl))"
#endif
#include <nccl.h>

#include <softscore/backend/cuda/backend.cuh>
#include <softscore/backend/cuda/data_parallel.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {
inline void check_nccl(ncclResult_t result, const char* call) {
  if (result != ncclSuccess) throw error(std::string{call} + " failed: " + ncclGetErrorString(result));
}
}  // namespace detail

/// The id by which the ranks of a data-parallel group find each other. One of them makes it and the others receive a
/// copy, 128 bytes that a program may send in any way.
using data_parallel_id = ncclUniqueId;
inline data_parallel_id new_data_parallel_id() {
  data_parallel_id name{};
  detail::check_nccl(ncclGetUniqueId(&name), "ncclGetUniqueId");
  return name;
}

/// A device that averages arrays with others through NCCL.
class cuda_data_parallel_device : public cuda_device {
 public:
  /// Waits until all ranks have joined.
  cuda_data_parallel_device(const cuda_options& options, const data_parallel_id& group_id, std::size_t rank,
                            std::size_t ranks)
      : cuda_device{options.device, options.math}, rank_{rank}, ranks_{ranks} {
    require(ranks >= 1 && rank < ranks, "the rank of a device", rank, "below the number of ranks");
    detail::check_nccl(ncclCommInitRank(&communicator_, static_cast<int>(ranks), group_id, static_cast<int>(rank)),
                       "ncclCommInitRank");
  }
  ~cuda_data_parallel_device() {
    if (communicator_ == nullptr) return;
    static_cast<void>(cudaSetDevice(number()));
    static_cast<void>(cudaStreamSynchronize(stream()));
    static_cast<void>(ncclCommDestroy(communicator_));
  }

  std::size_t rank() const { return rank_; }
  std::size_t ranks() const { return ranks_; }

  using cuda_device::launch;
  /// In place; a ring with a fixed order, so the bits are the same on every rank.
  template <class T>
  void launch(const detail::average_task<T>& task, const std::byte*) {
    static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>);
    select();
    detail::check_nccl(
        ncclAllReduce(task.data, task.data, task.size, std::is_same_v<T, float> ? ncclFloat32 : ncclFloat64, ncclAvg,
                      communicator_, stream()),
        "ncclAllReduce");
  }

 private:
  std::size_t rank_, ranks_;
  ncclComm_t communicator_{};
};

/// `cuda_backend` as one rank of a data-parallel group: training on it splits every batch among the ranks. Use one
/// process per device, or one thread per device (`on_cuda_devices`).
class cuda_data_parallel_backend : public data_parallel_backend<cuda_data_parallel_device> {
 public:
  cuda_data_parallel_backend(const data_parallel_id& group_id, std::size_t rank, std::size_t ranks,
                             const cuda_options& options = {})
      : data_parallel_backend{std::make_shared<cuda_data_parallel_device>(options, group_id, rank, ranks),
                              options.graphs} {}
};
static_assert(Backend<cuda_data_parallel_backend, float> && TrainsTogether<cuda_data_parallel_backend>);

/// Calls `body(backend)` once per device, each in its own thread, for devices 0 to `devices` - 1 of this machine.
/// Throws the exception of the first rank that failed.
template <class Body>
void on_cuda_devices(std::size_t devices, const Body& body, cuda_options options = {}) {
  require(devices >= 1, "the number of devices", devices, "at least 1");
  const data_parallel_id group_id = new_data_parallel_id();
  std::vector<std::exception_ptr> failures(devices);
  std::vector<std::jthread> threads;
  for (std::size_t rank = 0; rank < devices; ++rank)
    threads.emplace_back([&, rank] {
      try {
        cuda_options own = options;
        own.device = static_cast<int>(rank);
        cuda_data_parallel_backend backend{group_id, rank, devices, own};
        body(backend);
      } catch (...) {
        failures[rank] = std::current_exception();
      }
    });
  threads.clear();
  for (const std::exception_ptr& failure : failures)
    if (failure) std::rethrow_exception(failure);
}

}  // namespace softscore::inline SOFTSCORE_ABI
