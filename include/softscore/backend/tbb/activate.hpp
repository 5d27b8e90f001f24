#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>

#include <softscore/backend/activate_bodies.hpp>
#include <softscore/backend/run_tasks.hpp>
#include <softscore/backend/tbb/activation_simd.hpp>
#include <softscore/backend/tbb/backend.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

// Vector i of y = F(z), and of dz = dy F'(z).
template <class F>
struct activate_vector {
  const float* z;
  float* y;
  SOFTSCORE_INLINE void operator()(std::size_t i) const {
    store(y + i * native_lanes, value_of<native_lanes>(F{}, load<native_lanes>(z + i * native_lanes)));
  }
};
template <class F>
struct activate_vector_backward {
  const float* z;
  const float* dy;
  float* dz;
  SOFTSCORE_INLINE void operator()(std::size_t i) const {
    const std::size_t at = i * native_lanes;
    store(dz + at, load<native_lanes>(dy + at) * slope_of<native_lanes>(F{}, load<native_lanes>(z + at)));
  }
};

// Some numbers, padded to a whole vector.
struct padded_vector {
  alignas(64) float lanes[native_lanes] = {};
  padded_vector(const float* from, std::size_t count) { std::copy_n(from, count, lanes); }
};

// Calls body(first, vectors, rest) for runs of elements spread over threads: each has that many vectors, and the last
// run also has `rest` single elements.
template <class Body>
void each_run_of_vectors(tbb_backend& be, std::size_t size, const Body& body) {
  constexpr std::size_t run = 8192;
  be.parallel((size + run - 1) / run, [&](std::size_t r) {
    const std::size_t count = (std::min)(run, size - r * run);
    body(r * run, count / native_lanes, count % native_lanes);
  });
}

}  // namespace detail

/// y = f(z), element by element, for the activation `f`; y may be z. In float by vectors.
template <class T>
void activate_forward(tbb_backend& be, activation f, const_view<T, host_space> z, view<T, host_space> y) {
  detail::with_activation(f, [&](auto function) {
    if constexpr (std::is_same_v<T, float>) {
      using vector_of = detail::activate_vector<decltype(function)>;
      detail::each_run_of_vectors(be, y.size(), [&](std::size_t first, std::size_t vectors, std::size_t rest) {
        const float* from = raw(z) + first;
        float* to = raw(y) + first;
        detail::run_tasks(vector_of{from, to}, 0, vectors);
        if (rest == 0) return;
        const std::size_t at = vectors * detail::native_lanes;
        detail::padded_vector last{from + at, rest};
        detail::run_tasks(vector_of{last.lanes, last.lanes}, 0, 1);
        std::copy_n(last.lanes, rest, to + at);
      });
    } else {
      be.for_each(activate_body<decltype(function)>{}, y, z);
    }
  });
}

/// dz = dy f'(z), element by element; dz may be dy. In float by vectors.
template <class T>
void activate_backward(tbb_backend& be, activation f, const_view<T, host_space> z, const_view<T, host_space> dy,
                       view<T, host_space> dz) {
  detail::with_activation(f, [&](auto function) {
    if constexpr (std::is_same_v<T, float>) {
      using vector_of = detail::activate_vector_backward<decltype(function)>;
      detail::each_run_of_vectors(be, dz.size(), [&](std::size_t first, std::size_t vectors, std::size_t rest) {
        const float* of_z = raw(z) + first;
        const float* from = raw(dy) + first;
        float* to = raw(dz) + first;
        detail::run_tasks(vector_of{of_z, from, to}, 0, vectors);
        if (rest == 0) return;
        const std::size_t at = vectors * detail::native_lanes;
        detail::padded_vector last_z{of_z + at, rest}, last{from + at, rest};
        detail::run_tasks(vector_of{last_z.lanes, last.lanes, last.lanes}, 0, 1);
        std::copy_n(last.lanes, rest, to + at);
      });
    } else {
      be.for_each(activate_backward_body<decltype(function)>{}, dz, dy, z);
    }
  });
}

}  // namespace softscore::inline SOFTSCORE_ABI
