#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include <softscore/backend/cuda/device_backend.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {
// Replaces an array by the mean of those of all ranks. It has no kernel: a device of a data-parallel group launches it
// in its own way.
template <class T>
struct average_task {
  T* data;
  std::size_t size;
  grid launch() const { return {size > 0 ? 1u : 0u, 1, 0}; }
};
}  // namespace detail

/// One of several devices that train a network together (`TrainsTogether`): the same loop runs for each, with a share
/// of every batch, and averaged gradients keep their parameters equal. `Device` knows its `rank()` and `ranks()` and
/// launches `detail::average_task`.
template <class Device>
class data_parallel_backend : public device_backend<Device> {
 public:
  data_parallel_backend(std::shared_ptr<Device> device, std::size_t most_graphs)
      : device_backend<Device>{std::move(device), most_graphs},
        number_{this->template make_unset<double>({1, 1, 1, 1})} {}

  std::size_t rank() const { return this->device().rank(); }
  std::size_t ranks() const { return this->device().ranks(); }

  template <class T>
  void average(view<T, cuda_space> array) {
    this->note(detail::average_task<T>{raw(array), array.size()});
  }
  /// Waits for all ranks.
  double average(double number) {
    this->upload(&number, number_.view());
    average(number_.view());
    this->download(number_.view(), &number);
    return number;
  }

 private:
  device_array<double, Device> number_;
};

}  // namespace softscore::inline SOFTSCORE_ABI
