#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <softscore/core/config.hpp>
#include <softscore/core/movable.hpp>
#include <softscore/core/noise.hpp>
#include <softscore/core/per_image.hpp>
#include <softscore/core/quantity.hpp>
#include <softscore/core/shape.hpp>
#include <softscore/core/view.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The element types that the library computes in.
template <class T>
concept Scalar = std::same_as<T, float> || std::same_as<T, double>;

/// A view of T in the memory of backend `Be`.
template <class Be, class T>
using view_of = view<T, typename Be::space>;

/// The type of an argument that a function on backend `Be` reads. T is not deduced from it, so it accepts a view of
/// mutable elements too.
template <class Be, class T>
using in_of = const_view<T, typename Be::space>;

/// The type of an argument that a function on backend `Be` writes. T is deduced from it.
template <class Be, class T>
using out_of = view<T, typename Be::space>;

/// The owning array that `Be::make<T>` returns.
template <class Be, class T>
using array_of = decltype(std::declval<Be&>().template make<T>(shape{}));

/// One term of a linear combination: a number (or one per image) times a batch.
template <class T, class Space>
struct term {
  per_image<double> coefficient;
  view<const T, Space> array;
};
template <class T, class Space>
term(per_image<double>, view<T, Space>) -> term<std::remove_const_t<T>, Space>;
template <class T, class Space>
term(double, view<T, Space>) -> term<std::remove_const_t<T>, Space>;

/// A term of `be.combine` on backend `Be`.
template <class Be, class T>
using term_of = term<T, typename Be::space>;

namespace detail {
struct map_probe {
  template <class T>
  SOFTSCORE_HD void operator()(T& a, const T& b) const {
    a = b;
  }
};
struct task_probe {
  void operator()(std::size_t) const {}
};
struct gather_probe {
  template <class T>
  SOFTSCORE_HD T operator()(level, const shape&, pixel, std::size_t, const T* image, const double* table) const {
    return *image + static_cast<T>(*table);
  }
};
// Converts to the type of a table, std::shared_ptr<const std::vector<double>>. This header does not name that type,
// because <memory> takes longer to compile than all the rest of it.
struct table_probe {
  template <class Table>
  operator const Table&() const;
};
}  // namespace detail

/// `be.make<T>(shape)` returns an owning array of zeros whose `view()` is in the backend's space. The memory comes from
/// a pool that the backend keeps, so an array that a step makes and drops costs no allocation from the second step on.
template <class Be, class T>
concept AllocatesArrays = Scalar<T> && requires(Be& be, shape s) {
  typename Be::space;
  { be.template make<T>(s) } -> Movable;
  { be.template make<T>(s).view() } -> std::same_as<view_of<Be, T>>;
};

/// `be.upload(host, device)` and `be.download(device, host)` copy a whole view from and to host memory.
template <class Be, class T>
concept CopiesToHost = requires(Be& be, view_of<Be, T> device, view_of<Be, const T> source, const T* in, T* out) {
  be.upload(in, device);
  be.download(source, out);
};

/// `be.normal(key, images, out)` fills `out` with the standard normal numbers of the key (core/noise.hpp).
template <class Be, class T>
concept FillsNoise =
    requires(Be& be, noise_key key, image_range images, view_of<Be, T> out) { be.normal(key, images, out); };

/// `be.combine(out, term...)` stores the sum of coefficient times array in one pass; `out` may be one of the arrays.
template <class Be, class T>
concept CombinesLinearly = requires(Be& be, view_of<Be, T> out, term_of<Be, T> a) {
  be.combine(out, a);
  be.combine(out, a, a);
  be.combine(out, a, a, a, a);
};

/// `be.for_each(body, a, b...)` calls `body(a[i], b[i]...)` for every element: activations, Adam, EMA.
template <class Be, class T>
concept MapsElements =
    requires(Be& be, view_of<Be, T> a, view_of<Be, const T> b) { be.for_each(detail::map_probe{}, a, b); };

/// `be.each_pixel(body, levels, in, out, tables...)` stores `body(level, shape, pixel, image, in_of_the_image,
/// table...)` into every element of `out`; `in` is not `out`. A table is a view of doubles; the body receives it as a
/// pointer.
template <class Be, class T>
concept GathersPixels =
    requires(Be& be, per_image<level> levels, view_of<Be, const T> in, view_of<Be, T> out,
             view_of<Be, const double> t) { be.each_pixel(detail::gather_probe{}, levels, in, out, t); };

/// `be.dot(a, b, host)` writes the inner product of each image of a with that of b, summed in double in a fixed order.
template <class Be, class T>
concept ReducesPerImage = requires(Be& be, view_of<Be, const T> a, double* host) { be.dot(a, a, host); };

/// `be.convert(from, to)` copies between float and double.
template <class Be>
concept Converts = requires(Be& be, view_of<Be, double> d, view_of<Be, float> f) {
  be.convert(view_of<Be, const double>(d), f);
  be.convert(view_of<Be, const float>(f), d);
};

/// `be.constant(table)` returns a view of a table of doubles, a std::shared_ptr<const std::vector<double>>, that never
/// changes and that the caller keeps alive; a device copies it once.
template <class Be>
concept KeepsTables = requires(Be& be, detail::table_probe table) {
  { be.constant(table) } -> std::same_as<view_of<Be, const double>>;
};

/// Where arrays are stored and how arithmetic is done: the verbs in which every corruption, objective and sampler is
/// written. Models: serial_backend, tbb_backend, cuda_backend.
template <class Be, class T>
concept Backend = AllocatesArrays<Be, T> && AllocatesArrays<Be, double> && CopiesToHost<Be, T> && FillsNoise<Be, T> &&
                  CombinesLinearly<Be, T> && MapsElements<Be, T> && GathersPixels<Be, T> && ReducesPerImage<Be, T> &&
                  KeepsTables<Be> && Converts<Be>;

/// `be.correlate_separably(kernels, in, out)` correlates each image with its own symmetric kernel, or all images with a
/// single one, along rows and columns, faster than two gathers. Optional.
template <class Be, class T>
concept CorrelatesSeparably = requires(Be& be, view_of<Be, const double> kernels, view_of<Be, const T> in,
                                       view_of<Be, T> out) { be.correlate_separably(kernels, in, out); };

/// `be.combine_with_normal(key, images, factor, out, terms...)` stores, in one pass, the bits that `normal` into an
/// array and then `combine` would store, where the last term of `combine` is that array times `factor`. There are up to
/// three other terms. Optional.
template <class Be, class T>
concept CombinesWithNormal =
    requires(Be& be, noise_key key, image_range images, view_of<Be, T> out, term_of<Be, T> one) {
      be.combine_with_normal(key, images, 1.0, out, one);
      be.combine_with_normal(key, images, 1.0, out, one, one, one);
    };

/// `be.flush()` starts all requested work without waiting. Optional, for a backend that gathers work: the loops call it
/// at the end of a step.
template <class Be>
concept GathersWork = requires(Be& be) { be.flush(); };

/// `be.measure_norm(array, most)` computes the norm of a flat array and the factor min(1, most / (norm + 1e-6)).
/// `be.for_each_clipped(body, a, b...)` is `for_each` with `body.clipped(factor)`, and changes nothing if the norm is
/// not finite. Neither waits. `be.measured_norm()` is that norm, once the caller has waited for a later result.
/// Optional, for a backend where waiting costs time.
template <class Be>
concept ClipsWithoutWaiting = requires(Be& be, view_of<Be, const float> array, double most) {
  be.measure_norm(array, most);
  { be.measured_norm() } -> std::same_as<double>;
};

/// `be.rank()` of `be.ranks()` backends that train one network together, each with its share of every batch.
/// `be.average(array)` replaces the array of every rank by their mean, and `be.average(number)` returns the mean of the
/// numbers, with the same bits everywhere. Optional.
template <class Be>
concept TrainsTogether = requires(Be& be, view_of<Be, float> array, double number) {
  { be.rank() } -> std::same_as<std::size_t>;
  { be.ranks() } -> std::same_as<std::size_t>;
  be.average(array);
  { be.average(number) } -> std::same_as<double>;
};

/// A backend whose arrays the host may access. It also offers `be.parallel(count, body)`, which calls `body(i)` for i =
/// 0 .. count - 1, in any order, on its threads.
template <class Be>
concept HostBackend = Be::space::host && requires(Be& be) { be.parallel(std::size_t{}, detail::task_probe{}); };

}  // namespace softscore::inline SOFTSCORE_ABI
