#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include <softscore/backend/archetype.hpp>
#include <softscore/backend/cuda/command_list.hpp>
#include <softscore/backend/cuda/pool.hpp>
#include <softscore/backend/cuda/separable.hpp>
#include <softscore/backend/cuda/tasks.hpp>
#include <softscore/core/checked_size.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The verbs on a device. Each one adds a kernel to a command list, which is submitted when a result is requested, when
/// `flush` is called, or when it is full. `Device` launches, copies and waits: `cuda_device` in `cuda_backend`; the
/// tests have one that runs kernels on the host, thread by thread.
template <class Device>
class device_backend {
 public:
  using space = cuda_space;
  using device_type = Device;

  device_backend(std::shared_ptr<Device> device, std::size_t most_graphs)
      : device_{std::move(device)},
        pool_{std::make_shared<detail::device_pool<Device>>(device_)},
        commands_{std::make_unique<detail::command_list<Device>>(device_, most_graphs)},
        norm_on_host_{static_cast<double*>(device_->share(sizeof(double))), unshare{device_}},
        measured_{make_unset<detail::measured>({1, 1, 1, 1})} {}

  template <Scalar T>
  device_array<T, Device> make(shape extent) {
    auto array = make_unset<T>(extent);
    note(detail::zero_task<T>{raw(array.view()), extent.size()});
    return array;
  }

  /// The same with arbitrary content, for arrays that are written before they are read.
  template <class T>
  device_array<T, Device> make_unset(shape extent) {
    static_cast<void>(bytes_of<T>(extent));
    require(extent.per_image() <= (std::numeric_limits<std::uint32_t>::max)(), "the extent of an array", extent,
            "below 2^32 elements per image");
    return {extent, pool_, [this] { flush(); }};
  }

  template <Scalar T>
  void upload(const T* host, view<T, cuda_space> device) {
    const std::size_t bytes = device.size() * sizeof(T);
    if (bytes > most_noted) {
      flush();
      device_->copy_to_device(raw(device), host, bytes);
    } else {
      commands_->note(detail::upload_task<T>{raw(device), device.size()}, bytes,
                      [&](std::byte* arguments) { std::memcpy(arguments, host, bytes); });
    }
  }

  /// Waits until all requested work is done.
  template <class T>
  void download(view<T, cuda_space> device, std::remove_const_t<T>* host) {
    flush();
    device_->copy_to_host(host, raw(device), device.size() * sizeof(T));
  }

  template <Scalar T>
  void normal(noise_key key, image_range images, view<T, cuda_space> out) {
    const detail::normal_arguments arguments{key, images.first};
    note(detail::normal_task<T>{raw(out), images.count, out.extent().per_image()}, arguments);
  }

  template <Scalar T, class... Terms>
    requires(std::same_as<Terms, term<T, cuda_space>> && ...)
  void combine(view<T, cuda_space> out, const Terms&... terms) {
    constexpr std::size_t count = sizeof...(Terms);
    const std::size_t images = out.extent().images;
    detail::combine_task<T, count> task{
        raw(out), {static_cast<const T*>(raw(terms.array))...}, {}, {}, images, out.extent().per_image()};
    std::size_t all = 0;
    for_each_term(
        [&](std::size_t k, const auto& term) {
          task.first[k] = all;
          task.each[k] = term.coefficient.shared() ? 0 : 1;
          all += term.coefficient.shared() ? 1 : images;
        },
        terms...);
    commands_->note(task, all * sizeof(T), [&](std::byte* arguments) {
      T* to = reinterpret_cast<T*>(arguments);
      for_each_term(
          [&](std::size_t, const auto& term) {
            const std::size_t n = term.coefficient.shared() ? 1 : images;
            for (std::size_t i = 0; i < n; ++i) *to++ = static_cast<T>(term.coefficient[i]);
          },
          terms...);
    });
  }

  template <class Body, class... T>
  void for_each(Body body, view<T, cuda_space>... views) {
    static_assert(std::is_trivially_copyable_v<Body>, "softscore: a body that goes to a device holds plain values");
    note(detail::for_each_task<Body, T...>{{static_cast<const void*>(raw(views))...}, first_size(views...)}, body);
  }

  template <class Body, Scalar T, std::convertible_to<view<const double, cuda_space>>... Tables>
  void each_pixel(Body body, per_image<level> levels, const_view<T, cuda_space> in, view<T, cuda_space> out,
                  Tables... tables) {
    static_assert(std::is_trivially_copyable_v<Body>, "softscore: a body that goes to a device holds plain values");
    const std::size_t count = levels.shared() ? 1 : out.extent().images;
    const detail::each_pixel_task<Body, T, sizeof...(Tables)> task{
        raw(in), raw(out), {static_cast<const double*>(raw(tables))...}, out.extent(), levels.shared() ? 0u : 1u};
    commands_->note(task, detail::aligned(sizeof(Body)) + count * sizeof(level), [&](std::byte* arguments) {
      std::memcpy(arguments, static_cast<const void*>(&body), sizeof(Body));
      for (std::size_t i = 0; i < count; ++i) {
        const level at = levels[i];
        std::memcpy(arguments + detail::aligned(sizeof(Body)) + i * sizeof(level), &at, sizeof(level));
      }
    });
  }

  view<const double, cuda_space> constant(const std::shared_ptr<const std::vector<double>>& table) {
    auto found = tables_.find(table.get());
    if (found == tables_.end() || found->second.of.expired()) {
      std::erase_if(tables_, [](const auto& kept) { return kept.second.of.expired(); });
      kept_table made{table, make_unset<double>({.images = 1, .width = table->size()})};
      upload(table->data(), made.copy.view());
      found = tables_.insert_or_assign(table.get(), std::move(made)).first;
    }
    return found->second.copy.view();
  }

  /// Waits for the result.
  template <class A, class B>
  void dot(view<A, cuda_space> a, view<B, cuda_space> b, double* host) {
    const std::size_t images = a.extent().images;
    auto sums = make_unset<double>({images, 1, 1, 1});
    note(detail::dot_task<std::remove_const_t<A>, std::remove_const_t<B>>{raw(a), raw(b), raw(sums.view()), images,
                                                                          a.extent().per_image()});
    download(sums.view(), host);
  }

  /// The norm of a flat array, found on the device.
  template <Scalar T>
  void measure_norm(view<const T, cuda_space> array, double most) {
    const std::size_t parts = detail::squares_task<T>::parts(array.size());
    auto sums = make_unset<double>({parts, 1, 1, 1});
    double* const to = raw(sums.view());
    note(detail::squares_task<T>{raw(array), to, array.size()});
    note(detail::norm_task{to, raw(measured_.view()), norm_on_host_.get(), parts}, most);
  }
  /// `for_each` with the factor measured last; does nothing if the norm is not finite.
  template <class Body, class... T>
  void for_each_clipped(Body body, view<T, cuda_space>... views) {
    static_assert(std::is_trivially_copyable_v<Body>, "softscore: a body that goes to a device holds plain values");
    note(
        detail::for_each_clipped_task<Body, T...>{
            {static_cast<const void*>(raw(views))...}, first_size(views...), raw(measured_.view())},
        body);
  }
  /// The norm measured last, once the device has computed it.
  double measured_norm() const { return *norm_on_host_; }

  template <class From, class To>
  void convert(view<From, cuda_space> from, view<To, cuda_space> to) {
    for_each(detail::convert_body<To>{}, to, view<const From, cuda_space>{raw(from), from.extent()});
  }

  /// Correlates each image with its own symmetric kernel along rows and columns, or all images with a single one, in
  /// one pass if a plane fits into the memory of a block.
  template <Scalar T>
  void correlate_separably(view<const double, cuda_space> kernels, const_view<T, cuda_space> in,
                           view<T, cuda_space> out) {
    const shape s = out.extent();
    const std::size_t taps = kernels.extent().per_image(), step = kernels.extent().images == 1 ? 0 : taps;
    if (detail::correlate_plane_task<T>::fits(s, taps)) {
      note(detail::correlate_plane_task<T>{raw(kernels), raw(in), raw(out), taps, step, s.images * s.channels,
                                           s.channels, s.height, s.width});
    } else {
      auto rows_done = make_unset<T>(s);
      note(detail::correlate_lines_task<T>{raw(kernels), raw(in), raw(rows_done.view()), s, taps, step, 0});
      note(detail::correlate_lines_task<T>{raw(kernels), raw(rows_done.view()), raw(out), s, taps, step, 1});
    }
  }

  /// Starts all requested work, without waiting for it. Loops call it at the end of a step.
  void flush() { commands_->flush(); }
  /// Waits until all requested work is done.
  void finish() {
    flush();
    device_->finish();
  }

  /// The number of lists of work that were started as graphs so far.
  std::size_t replays() const { return commands_->replays(); }
  Device& device() { return *device_; }
  const Device& device() const { return *device_; }

  /// Adds a task with its arguments to the list. For the operations of this backend.
  template <class Task>
  void note(const Task& task) {
    commands_->note(task);
  }
  template <class Task, class Arguments>
  void note(const Task& task, const Arguments& arguments) {
    static_assert(std::is_trivially_copyable_v<Arguments>);
    commands_->note(task, sizeof(Arguments),
                    [&](std::byte* to) { std::memcpy(to, static_cast<const void*>(&arguments), sizeof(Arguments)); });
  }

 private:
  static constexpr std::size_t most_noted = std::size_t{1} << 20;

  struct unshare {
    std::shared_ptr<Device> device;
    void operator()(double* number) const { device->unshare(number); }
  };
  struct kept_table {
    std::weak_ptr<const std::vector<double>> of;
    device_array<double, Device> copy;
  };

  template <class F, class... Terms>
  static void for_each_term(const F& f, const Terms&... terms) {
    std::size_t k = 0;
    (f(k++, terms), ...);
  }
  template <class First, class... Rest>
  static std::size_t first_size(const First& first, const Rest&...) {
    return first.size();
  }

  std::shared_ptr<Device> device_;
  std::shared_ptr<detail::device_pool<Device>> pool_;
  std::unique_ptr<detail::command_list<Device>> commands_;
  std::map<const std::vector<double>*, kept_table> tables_;
  std::unique_ptr<double, unshare> norm_on_host_;
  device_array<detail::measured, Device> measured_;
};

}  // namespace softscore::inline SOFTSCORE_ABI
