#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>

#if !__has_include(<oneapi/tbb/blocked_range.h>)
#error "softscore/backend/tbb/backend.hpp needs oneTBB: link softscore::tbb (find_package(softscore COMPONENTS tbb))"
#endif
#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/info.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/partitioner.h>
#include <oneapi/tbb/task_arena.h>

#include <softscore/backend/archetype.hpp>
#include <softscore/backend/host_verbs.hpp>
#include <softscore/backend/run_tasks.hpp>
#include <softscore/backend/separable_lines.hpp>
#include <softscore/backend/tbb/for_each_lanes.hpp>
#include <softscore/backend/tbb/forks.hpp>
#include <softscore/backend/tbb/handover.hpp>
#include <softscore/backend/tbb/normals_simd.hpp>
#include <softscore/backend/tbb/separable_tiles.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>

namespace softscore::inline SOFTSCORE_ABI {

// nvcc's front end cannot compile the vectors in some bodies below. It compiles a separate class instead, so that a
// program with files of both kinds has two classes and not one with two definitions.
#if defined(__CUDACC__)
inline namespace compiled_by_nvcc {
#endif

/// oneTBB threads over images or fixed blocks. The tasks, and the order of every sum, depend only on the sizes, so the
/// bits are the same for any number of threads. In the child of a fork whose parent has run a loop on threads, all
/// loops run on the caller's thread.
class tbb_backend : public host_verbs<tbb_backend> {
 public:
  /// As many threads as this process may run at once: the machine's, or those that the process is bound to (`taskset`).
  tbb_backend() : tbb_backend{at_once()} {}
  /// `threads` threads, the caller's included; throws `error` if that is 0.
  explicit tbb_backend(std::size_t threads) : threads_{threads}, workers_{make_workers(checked(threads))} {
    detail::forks::watch();
    // By default, oneTBB starts no more threads than there are cores.
    if (threads > at_once_ && workers_) workers_->more.emplace(tbb::global_control::max_allowed_parallelism, threads);
  }

  tbb_backend(const tbb_backend&) = delete;
  tbb_backend& operator=(const tbb_backend&) = delete;

  std::size_t threads() const { return threads_; }

  /// Calls `body(i)` for i = 0 .. count - 1 on the backend's threads, with contiguous indices on each thread. If the
  /// caller is inside a smaller arena of its own, only that arena is used.
  template <class Body>
  void parallel(std::size_t count, const Body& body) {
    if (count <= 1 || threads_ == 1 || detail::forks::threads_lost()) return detail::run_tasks(body, 0, count);
    using range = tbb::blocked_range<std::size_t>;
    const auto tasks = [&](const range& run) { detail::run_tasks(body, run.begin(), run.end()); };
    detail::handover begun, ended;
    const auto spread = [&] {
      tbb::parallel_for(range{0, count}, detail::handed_over<decltype(tasks)>{tasks, begun, ended},
                        tbb::static_partitioner{});
    };
    detail::forks::threads_begin();
    begun.give();
    if (inside_a_smaller_arena())
      spread();
    else
      workers_->arena.execute(spread);
    ended.take();
  }

#if !defined(__CUDACC__)
  /// Calls body(a, b...) for the elements of arrays of the same size, many at once if the body supports vectors.
  template <class Body, class... T>
  void for_each(Body body, view<T, host_space>... views) {
    if constexpr (detail::WorksOnLanes<Body, T...>) {
      const std::size_t size = std::get<0>(std::tuple{views...}).size(),
                        blocks = (size + lanes_block - 1) / lanes_block;
      share(blocks, lanes_block, [&](std::size_t b) {
        detail::for_each_lanes(body, b * lanes_block, (std::min)(size, (b + 1) * lanes_block), raw(views)...);
      });
    } else {
      host_verbs::for_each(body, views...);
    }
  }
#endif

  /// Fills `out` with the numbers of the key, the same bits as on every backend, many at a time.
  template <Scalar T>
  void normal(noise_key key, image_range images, view<T, host_space> out) {
#if defined(__CUDACC__)  // nvcc's front end cannot compile the vectors of the other branch, whose bits are the same
    host_verbs::normal(key, images, out);
#else
    const std::size_t elements = out.extent().per_image();
    share(images.count, 2 * elements, [&](std::size_t image) {
      T* z = raw(out) + image * elements;
      each_normals(key, images.first + image, elements,
                   [&](std::size_t i, std::size_t count, const float* numbers) { std::copy_n(numbers, count, z + i); });
    });
#endif
  }

  /// Stores the sum of coefficient times array, in one pass and by vectors for any compiler flags.
  template <Scalar T, class... Terms>
  void combine(view<T, host_space> out, const Terms&... terms) {
    if constexpr (std::is_same_v<T, float>) {
      const std::size_t elements = out.extent().per_image();
      share(out.extent().images, elements, [&](std::size_t image) {
        combine_vectors(raw(out) + image * elements, elements,
                        std::array{static_cast<float>(terms.coefficient[image])...},
                        std::array{static_cast<const float*>(raw(terms.array) + image * elements)...});
      });
    } else {
      host_verbs::combine(out, terms...);
    }
  }

#if !defined(__CUDACC__)
  /// Stores the sum of coefficient times array plus `factor` times the numbers of the key into `out`, with the bits of
  /// `normal` and `combine`, but without an array of the numbers.
  template <std::same_as<float> T, class... Terms>
  void combine_with_normal(noise_key key, image_range images, double factor, view<T, host_space> out,
                           const Terms&... terms) {
    const std::size_t elements = out.extent().per_image();
    share(images.count, 3 * elements, [&](std::size_t image) {
      const std::size_t start = image * elements;
      const std::array factors{static_cast<float>(terms.coefficient[image])..., static_cast<float>(factor)};
      each_normals(key, images.first + image, elements, [&](std::size_t i, std::size_t count, const float* numbers) {
        combine_vectors(raw(out) + start + i, count, factors,
                        std::array{static_cast<const float*>(raw(terms.array) + start + i)..., numbers});
      });
    });
  }
#endif

  /// Stores each image of `in`, correlated along rows and columns with its own symmetric kernel (images x half kernel,
  /// the center first; zero padding), or all images with a single kernel, into `out`. It is a faster form of
  /// `each_pixel` for separable operators.
  template <Scalar T>
  void correlate_separably(view<const double, host_space> kernels, const_view<T, host_space> in,
                           view<T, host_space> out) {
    if constexpr (std::is_same_v<T, float>) {
      constexpr std::size_t wide = detail::native_lanes, narrow = 4;
      if (detail::separable_tiles<wide>::fits(out.extent())) return correlate_tiles<wide>(kernels, in, out);
      if (detail::separable_tiles<narrow>::fits(out.extent())) return correlate_tiles<narrow>(kernels, in, out);
    }
    const shape extent = out.extent();
    const std::size_t taps = kernels.extent().per_image(), step = kernels.extent().images == 1 ? 0 : taps;
    auto scratch = this->template make<T>({extent.images, 1, extent.height, extent.width});
    const auto planes = scratch.view();
    parallel(extent.images, [&](std::size_t i) {
      detail::correlate_separably(raw(kernels) + i * step, taps - 1, extent, raw(in) + i * extent.per_image(),
                                  raw(out) + i * extent.per_image(), raw(planes) + i * extent.plane());
    });
  }

 private:
#if !defined(__CUDACC__)
  static constexpr std::size_t lanes_block = 8192;  // elements of one task of for_each

  // Calls body(i, count, z) with the normal numbers z of the elements i .. i + count - 1 of an image, one run after
  // another.
  template <class Body>
  static void each_normals(const noise_key& key, std::uint64_t image, std::size_t elements, const Body& body) {
    constexpr std::size_t lanes = detail::native_lanes, group = 4 * lanes;
    alignas(64) float numbers[2 * group];
    std::size_t i = 0;
    for (; i + 2 * group <= elements; i += 2 * group) {
      detail::normals_simd<lanes, 2>(key, image, static_cast<std::uint32_t>(i / 4), numbers);
      body(i, 2 * group, numbers);
    }
    for (; i < elements; i += group) {
      detail::normals_simd<lanes, 1>(key, image, static_cast<std::uint32_t>(i / 4), numbers);
      body(i, i + group <= elements ? group : elements % group, numbers);
    }
  }
#endif

  // Tasks are bands of rows, so that a few large images keep every thread busy.
  template <std::size_t W>
  void correlate_tiles(view<const double, host_space> kernels, const_view<float, host_space> in,
                       view<float, host_space> out) {
    using tiles = detail::separable_tiles<W>;
    const shape s = out.extent();
    const std::size_t taps = kernels.extent().per_image(), step = kernels.extent().images == 1 ? 0 : taps;
    constexpr std::size_t band = 16 * tiles::tall;
    const std::size_t bands = std::max<std::size_t>(s.height / band, 1), count = s.images * bands;
    const std::size_t parts = std::clamp<std::size_t>(count, 1, threads_), room = tiles::scratch(taps - 1, s);
    auto scratch = make<float>({parts, 1, 1, (room + 15) / 16 * 16});  // whole cache lines
    const auto work = scratch.view();
    const std::size_t products = (std::min)(2 * taps, s.height + s.width) / tiles::margin + 1;
    share(parts, s.size() / parts * products, [&](std::size_t part) {
      for (std::size_t i = part * count / parts; i < (part + 1) * count / parts; ++i) {
        const std::size_t image = i / bands, first = i % bands * band;
        const std::size_t last = i % bands + 1 < bands ? first + band : s.height;
        tiles::correlate(raw(kernels) + image * step, taps - 1, s, first, last, raw(in) + image * s.per_image(),
                         raw(out) + image * s.per_image(), raw(work) + part * work.extent().per_image());
      }
    });
  }

  template <std::size_t Terms>
  static void combine_vectors(float* out, std::size_t count, const std::array<float, Terms>& factor,
                              const std::array<const float*, Terms>& from) {
    constexpr std::size_t lanes = detail::native_lanes;
    const std::size_t whole = count - count % lanes;
    for (std::size_t i = 0; i < whole; i += lanes)
      detail::store(out + i, weighted(factor, [&](std::size_t k) { return detail::load<lanes>(from[k] + i); }));
    for (std::size_t i = whole; i < count; ++i) out[i] = weighted(factor, [&](std::size_t k) { return from[k][i]; });
  }

  // One expression, like the serial backend's: whether a compiler fuses a product and a sum depends on how they are
  // written.
  template <std::size_t Terms, class Of>
  static auto weighted(const std::array<float, Terms>& f, Of of) {
    static_assert(Terms >= 1 && Terms <= 4, "combine takes one to four terms, combine_with_normal at most three");
    if constexpr (Terms == 1)
      return f[0] * of(0);
    else if constexpr (Terms == 2)
      return f[0] * of(0) + f[1] * of(1);
    else if constexpr (Terms == 3)
      return f[0] * of(0) + f[1] * of(1) + f[2] * of(2);
    else
      return f[0] * of(0) + f[1] * of(1) + f[2] * of(2) + f[3] * of(3);
  }

  static std::size_t at_once() { return static_cast<std::size_t>((std::max)(tbb::info::default_concurrency(), 1)); }
  static int checked(std::size_t threads) {
    require(threads >= 1 && threads <= 4096, "threads", threads, "between 1 and 4096");
    return static_cast<int>(threads);
  }

  bool inside_a_smaller_arena() const {
    if (tbb::this_task_arena::current_thread_index() == tbb::task_arena::not_initialized) return false;
    // If no arena was made, the limit is the number of cores, which the caller did not request.
    return static_cast<std::size_t>(tbb::this_task_arena::max_concurrency()) < (std::min)(threads_, at_once_);
  }

  std::size_t threads_;
  std::size_t at_once_ = at_once();  // queried once, because a loop over few images is short
  struct workers {
    explicit workers(int threads) : arena{threads} {}
    std::optional<tbb::global_control> more;
    tbb::task_arena arena;
  };
  static workers* make_workers(int threads) { return detail::forks::threads_lost() ? nullptr : new workers{threads}; }
  std::unique_ptr<workers, detail::delete_unless_forked> workers_;  // null if this process has lost its threads
};
static_assert(Backend<tbb_backend, float> && Backend<tbb_backend, double> && HostBackend<tbb_backend>);

#if defined(__CUDACC__)
}  // namespace compiled_by_nvcc
#endif

}  // namespace softscore::inline SOFTSCORE_ABI
