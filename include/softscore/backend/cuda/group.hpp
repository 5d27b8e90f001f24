#pragma once

#include <cstddef>
#include <vector>

#include <softscore/core/config.hpp>

// Loops of a length known at compile time, unrolled in kernels so that small arrays stay in registers.
#if defined(__CUDA_ARCH__)
#define SOFTSCORE_UNROLL _Pragma("unroll")
#else
#define SOFTSCORE_UNROLL
#endif

namespace softscore::inline SOFTSCORE_ABI::detail {

// The threads of one block. A kernel is written once, for either kind of group, as phases between barriers:
// `each_thread(f)` calls f(thread) for every thread of the block, and no thread continues before all are done. Values
// that a thread keeps from phase to phase are an `own`, accessed by the thread's number.

#if defined(__CUDACC__)
// On a device: the calling thread itself, and a barrier.
class device_group {
 public:
  template <class T>
  class own {
   public:
    SOFTSCORE_HD explicit own(device_group&) {}
    SOFTSCORE_HD T& operator()(std::size_t) { return value_; }

   private:
    T value_;
  };

  SOFTSCORE_HD std::size_t block() const {
#if defined(__CUDA_ARCH__)
    return blockIdx.x;
#else
    return 0;
#endif
  }
  SOFTSCORE_HD std::size_t threads() const {
#if defined(__CUDA_ARCH__)
    return blockDim.x;
#else
    return 1;
#endif
  }
  template <class F>
  SOFTSCORE_HD void each_thread(const F& f) {
#if defined(__CUDA_ARCH__)
    f(static_cast<std::size_t>(threadIdx.x));
    __syncthreads();
#else
    static_cast<void>(f);
#endif
  }
  template <class T>
  SOFTSCORE_HD T* shared() {
#if defined(__CUDA_ARCH__)
    extern __shared__ __align__(16) double softscore_shared_memory[];
    return reinterpret_cast<T*>(softscore_shared_memory);
#else
    return nullptr;
#endif
  }
};
#endif

// On the host: a loop over the threads, from the last to the first if `backwards`, because the order within a phase
// must not matter.
class host_group {
 public:
  template <class T>
  class own {
   public:
    explicit own(host_group& group) : values_(group.threads()) {}
    T& operator()(std::size_t thread) { return values_[thread]; }

   private:
    std::vector<T> values_;
  };

  host_group(std::size_t block, std::size_t threads, std::size_t shared_bytes, bool backwards = false)
      : block_{block},
        threads_{threads},
        backwards_{backwards},
        shared_((shared_bytes + sizeof(double) - 1) / sizeof(double), -1e300) {}

  std::size_t block() const { return block_; }
  std::size_t threads() const { return threads_; }
  template <class F>
  void each_thread(const F& f) {
    for (std::size_t i = 0; i < threads_; ++i) f(backwards_ ? threads_ - 1 - i : i);
  }
  template <class T>
  T* shared() {
    return reinterpret_cast<T*>(shared_.data());
  }

 private:
  std::size_t block_, threads_;
  bool backwards_;
  std::vector<double> shared_;  // not zeros initially, as on a device
};

// The sum of `values`, one per thread, in a fixed order; it is left in values[0]. The number of threads is a power of
// two.
template <class Group>
SOFTSCORE_HD void add_up(Group& group, double* values) {
  for (std::size_t half = group.threads() / 2; half > 0; half /= 2)
    group.each_thread([&](std::size_t t) {
      if (t < half) values[t] += values[t + half];
    });
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
