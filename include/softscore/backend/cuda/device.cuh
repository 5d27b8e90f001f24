#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

#if !__has_include(<cuda_runtime.h>)
#error \
    "softscore/backend/cuda/device.cuh needs a CUDA toolkit of version 12 or later with cuBLAS: link softscore::cuda (find_package(softscore COMPONENTS cuda))"
#endif
#include <cuda_runtime.h>

#include <softscore/backend/cuda/cublas.cuh>
#include <softscore/backend/cuda/tasks.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

// Throws `error` with the name of the call that failed.
inline void check_cuda(cudaError_t result, const char* call) {
  if (result == cudaSuccess) return;
  static_cast<void>(cudaGetLastError());  // so that the next call does not report it again
  throw error(std::string{call} + " failed: " + cudaGetErrorString(result));
}

// The largest number of threads of a task; the compiler limits the registers accordingly.
template <class Task>
constexpr unsigned most_threads_of() {
  if constexpr (requires { Task::most_threads; })
    return Task::most_threads;
  else
    return 256;
}

template <class Task>
__global__ void __launch_bounds__(most_threads_of<Task>()) run_task(Task task, const std::byte* arguments) {
  device_group group;
  task(group, arguments);
}

}  // namespace detail

/// One device and one stream on it: memory from a stream-ordered pool, kernels, copies through pinned memory, graphs.
class cuda_device {
 public:
  /// Memory of the host that the device reads without the processor's help, and the same amount on the device.
  class staging {
   public:
    staging() = default;
    staging(const staging&) = delete;
    staging& operator=(const staging&) = delete;
    ~staging() {
      if (event_ != nullptr) static_cast<void>(cudaEventDestroy(event_));
      release();
    }

    /// Makes room for that many bytes, and keeps the first `kept`.
    void reserve(cuda_device& device, std::size_t bytes, std::size_t kept) {
      if (bytes <= room_) return;
      device.select();
      const std::size_t room = (std::max)(2 * bytes, std::size_t{1} << 16);
      void* const on_device = device.allocate_apart(room);
      void* host = nullptr;
      const cudaError_t result = cudaMallocHost(&host, room);
      if (result != cudaSuccess) static_cast<void>(cudaFree(on_device));
      detail::check_cuda(result, "cudaMallocHost");
      if (kept > 0) std::memcpy(host, host_, kept);
      release();
      host_ = static_cast<std::byte*>(host);
      on_device_ = static_cast<std::byte*>(on_device);
      room_ = room;
    }
    std::byte* host() { return host_; }
    std::byte* on_device() { return on_device_; }

   private:
    friend class cuda_device;
    void release() {
      if (host_ != nullptr) static_cast<void>(cudaFreeHost(host_));
      if (on_device_ != nullptr) static_cast<void>(cudaFree(on_device_));  // waits for whatever still reads it
    }

    std::byte *host_{}, *on_device_{};
    std::size_t room_{};
    cudaEvent_t event_{};
  };

  /// A list of tasks that is launched as one.
  class graph {
   public:
    explicit graph(cudaGraphExec_t executable) : executable_{executable} {}
    graph(graph&& other) noexcept : executable_{std::exchange(other.executable_, nullptr)} {}
    graph& operator=(graph&& other) noexcept {
      std::swap(executable_, other.executable_);
      return *this;
    }
    ~graph() {
      if (executable_ != nullptr) static_cast<void>(cudaGraphExecDestroy(executable_));
    }

   private:
    friend class cuda_device;
    cudaGraphExec_t executable_;
  };

  /// Device `number` of the machine, with its own stream. Throws `error` if there is no such device, or if this program
  /// has no code for it.
  explicit cuda_device(int number, cuda_math math = cuda_math::float32) : number_{number}, products_{math} {
    int devices = 0;
    const cudaError_t found = cudaGetDeviceCount(&devices);
    if (found != cudaSuccess || devices == 0) {
      static_cast<void>(cudaGetLastError());
      throw error(std::string{"the CUDA backend found no device: "} +
                  (found == cudaSuccess ? "there is none in this machine" : cudaGetErrorString(found)));
    }
    require(number >= 0 && number < devices, "the number of the CUDA device", number,
            "below the number of devices, " + std::to_string(devices));
    select();
    cudaFuncAttributes attributes{};
    const cudaError_t runs = cudaFuncGetAttributes(&attributes, detail::run_task<detail::zero_task<float>>);
    if (runs == cudaErrorNoKernelImageForDevice || runs == cudaErrorInvalidDeviceFunction) {
      static_cast<void>(cudaGetLastError());
      cudaDeviceProp properties{};
      detail::check_cuda(cudaGetDeviceProperties(&properties, number), "cudaGetDeviceProperties");
      throw error("CUDA device " + std::to_string(number) + " (" + properties.name + ") has compute capability " +
                  std::to_string(properties.major) + "." + std::to_string(properties.minor) +
                  ", but this program was compiled for others; CMAKE_CUDA_ARCHITECTURES must name it");
    }
    detail::check_cuda(runs, "cudaFuncGetAttributes");
    detail::check_cuda(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    cudaMemPoolProps wanted{};
    wanted.allocType = cudaMemAllocationTypePinned;
    wanted.location.type = cudaMemLocationTypeDevice;
    wanted.location.id = number;
    detail::check_cuda(cudaMemPoolCreate(&pool_, &wanted), "cudaMemPoolCreate");
    std::uint64_t all = (std::numeric_limits<std::uint64_t>::max)();  // returned memory stays available
    detail::check_cuda(cudaMemPoolSetAttribute(pool_, cudaMemPoolAttrReleaseThreshold, &all),
                       "cudaMemPoolSetAttribute");
    detail::check_cuda(cudaMallocHost(&window_, window_bytes), "cudaMallocHost");
  }
  cuda_device(const cuda_device&) = delete;
  cuda_device& operator=(const cuda_device&) = delete;
  ~cuda_device() {
    static_cast<void>(cudaSetDevice(number_));
    if (stream_ != nullptr) static_cast<void>(cudaStreamSynchronize(stream_));
    products_.end();
    if (workspace_ != nullptr) static_cast<void>(cudaFree(workspace_));
    if (window_ != nullptr) static_cast<void>(cudaFreeHost(window_));
    if (stream_ != nullptr) static_cast<void>(cudaStreamDestroy(stream_));
    if (pool_ != nullptr) static_cast<void>(cudaMemPoolDestroy(pool_));
  }

  int number() const { return number_; }
  cudaStream_t stream() const { return stream_; }

  /// Null if there is no room.
  void* try_allocate(std::size_t bytes) {
    select();
    void* address = nullptr;
    const cudaError_t result = cudaMallocFromPoolAsync(&address, bytes, pool_, stream_);
    if (result == cudaErrorMemoryAllocation) {
      static_cast<void>(cudaGetLastError());
      return nullptr;
    }
    detail::check_cuda(result, "cudaMallocFromPoolAsync");
    return address;
  }
  /// Throws `error` with the bytes requested and free; the device continues to work.
  void* allocate(std::size_t bytes) {
    if (void* address = try_allocate(bytes)) return address;
    make_room();
    if (void* address = try_allocate(bytes)) return address;
    refuse(bytes);
  }
  /// The same outside the order of the stream, for memory that lives long.
  void* allocate_apart(std::size_t bytes) {
    select();
    void* address = nullptr;
    cudaError_t result = cudaMalloc(&address, bytes);
    if (result == cudaErrorMemoryAllocation) {
      static_cast<void>(cudaGetLastError());
      make_room();
      result = cudaMalloc(&address, bytes);
    }
    if (result == cudaErrorMemoryAllocation) {
      static_cast<void>(cudaGetLastError());
      refuse(bytes);
    }
    detail::check_cuda(result, "cudaMalloc");
    return address;
  }
  void release(void* address) {
    static_cast<void>(cudaSetDevice(number_));
    static_cast<void>(cudaFreeAsync(address, stream_));
  }

  /// Memory of the host that kernels can access too.
  void* share(std::size_t bytes) {
    select();
    void* address = nullptr;
    detail::check_cuda(cudaMallocHost(&address, bytes), "cudaMallocHost");
    std::memset(address, 0, bytes);
    return address;
  }
  void unshare(void* address) {
    static_cast<void>(cudaSetDevice(number_));
    static_cast<void>(cudaStreamSynchronize(stream_));
    static_cast<void>(cudaFreeHost(address));
  }

  void wait(staging& from) {
    if (from.event_ != nullptr) detail::check_cuda(cudaEventSynchronize(from.event_), "cudaEventSynchronize");
  }
  void send(staging& from, std::byte* to, std::size_t bytes) {
    if (bytes == 0) return;
    select();
    if (from.event_ == nullptr)
      detail::check_cuda(cudaEventCreateWithFlags(&from.event_, cudaEventDisableTiming), "cudaEventCreateWithFlags");
    detail::check_cuda(cudaMemcpyAsync(to, from.host(), bytes, cudaMemcpyHostToDevice, stream_), "cudaMemcpyAsync");
    detail::check_cuda(cudaEventRecord(from.event_, stream_), "cudaEventRecord");
  }

  template <class Task>
  void launch(const Task& task, const std::byte* arguments) {
    launch_kernel(task, arguments);
  }
  /// cuBLAS computes large products of matrices.
  template <class Number, std::size_t Rows, std::size_t Columns>
  void launch(const detail::multiply_task<Number, Rows, Columns>& task, const std::byte* arguments) {
    if (!products_.takes(task)) {
      launch_kernel(task, arguments);
      return;
    }
    if (task.bias != nullptr)
      launch_kernel(
          detail::bias_rows_task<Number>{task.c.data, task.bias, task.m, task.n, task.c.row, task.c.each, task.batch},
          arguments);
    select();
    products_.multiply(task, stream_, [this](std::size_t bytes) {
      if (workspace_ == nullptr) workspace_ = allocate_apart(bytes);
      return workspace_;
    });
  }

  void begin_capture() {
    select();
    detail::check_cuda(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeRelaxed), "cudaStreamBeginCapture");
  }
  graph end_capture() {
    cudaGraph_t captured{};
    detail::check_cuda(cudaStreamEndCapture(stream_, &captured), "cudaStreamEndCapture");
    cudaGraphExec_t executable{};
    const cudaError_t result = cudaGraphInstantiate(&executable, captured, 0);
    static_cast<void>(cudaGraphDestroy(captured));
    detail::check_cuda(result, "cudaGraphInstantiate");
    return graph{executable};
  }
  void abandon_capture() {
    cudaGraph_t captured{};
    static_cast<void>(cudaStreamEndCapture(stream_, &captured));
    if (captured != nullptr) static_cast<void>(cudaGraphDestroy(captured));
    static_cast<void>(cudaGetLastError());
  }
  void replay(const graph& of) {
    select();
    detail::check_cuda(cudaGraphLaunch(of.executable_, stream_), "cudaGraphLaunch");
  }

  void copy_to_device(void* to, const void* from, std::size_t bytes) {
    through_window(bytes, [&](std::size_t at, std::size_t part) {
      std::memcpy(window_, static_cast<const std::byte*>(from) + at, part);
      detail::check_cuda(
          cudaMemcpyAsync(static_cast<std::byte*>(to) + at, window_, part, cudaMemcpyHostToDevice, stream_),
          "cudaMemcpyAsync");
      finish();
    });
  }
  void copy_to_host(void* to, const void* from, std::size_t bytes) {
    through_window(bytes, [&](std::size_t at, std::size_t part) {
      detail::check_cuda(
          cudaMemcpyAsync(window_, static_cast<const std::byte*>(from) + at, part, cudaMemcpyDeviceToHost, stream_),
          "cudaMemcpyAsync");
      finish();
      std::memcpy(static_cast<std::byte*>(to) + at, window_, part);
    });
  }
  /// Waits until the device has finished all its work.
  void finish() {
    select();
    detail::check_cuda(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
  }

  /// Makes this the device of the calling thread.
  void select() { detail::check_cuda(cudaSetDevice(number_), "cudaSetDevice"); }

 private:
  static constexpr std::size_t window_bytes = std::size_t{4} << 20;

  template <class Task>
  void launch_kernel(const Task& task, const std::byte* arguments) {
    const detail::grid g = task.launch();
    require(g.blocks <= static_cast<std::size_t>((std::numeric_limits<int>::max)()), "the blocks of a kernel", g.blocks,
            "below 2^31");
    select();
    detail::run_task<Task>
        <<<static_cast<unsigned>(g.blocks), static_cast<unsigned>(g.threads), g.shared_bytes, stream_>>>(task,
                                                                                                         arguments);
    detail::check_cuda(cudaGetLastError(), "the launch of a kernel");
  }
  // Returns the memory that the pool keeps for later to the device.
  void make_room() {
    finish();
    detail::check_cuda(cudaMemPoolTrimTo(pool_, 0), "cudaMemPoolTrimTo");
  }
  [[noreturn]] void refuse(std::size_t bytes) {
    std::size_t free = 0, total = 0;
    static_cast<void>(cudaMemGetInfo(&free, &total));
    throw error("the CUDA backend asked for " + std::to_string(bytes) + " bytes on device " + std::to_string(number_) +
                ", but " + std::to_string(free) + " of " + std::to_string(total) + " are free");
  }
  template <class Copy>
  void through_window(std::size_t bytes, const Copy& copy) {
    select();
    for (std::size_t at = 0; at < bytes; at += window_bytes) copy(at, (std::min)(window_bytes, bytes - at));
  }

  int number_;
  cudaStream_t stream_{};
  cudaMemPool_t pool_{};
  void *window_{}, *workspace_{};
  detail::cublas_products products_;
};

}  // namespace softscore::inline SOFTSCORE_ABI
