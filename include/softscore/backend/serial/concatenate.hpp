#pragma once

#include <algorithm>
#include <cstddef>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Sets out (N,A+B,H,W) to the channels of a (N,A,H,W), then those of b (N,B,H,W).
template <class T>
void concatenate(serial_backend&, const_view<T, host_space> a, const_view<T, host_space> b, view<T, host_space> out) {
  for (std::size_t n = 0; n < out.extent().images; ++n) {
    const auto of_a = a.image(n), of_b = b.image(n);
    std::copy(of_b.begin(), of_b.end(), std::copy(of_a.begin(), of_a.end(), out.image(n).begin()));
  }
}

/// The inverse: copies the first channels of `from` (N,A+B,H,W) into a (N,A,H,W), and the others into b (N,B,H,W).
/// Either may be empty and is then skipped.
template <class T>
void separate(serial_backend&, const_view<T, host_space> from, view<T, host_space> a, view<T, host_space> b) {
  for (std::size_t n = 0; n < from.extent().images; ++n) {
    const auto all = from.image(n);
    if (!a.empty()) std::copy_n(all.begin(), a.extent().per_image(), a.image(n).begin());
    if (!b.empty())
      std::copy_n(all.end() - static_cast<std::ptrdiff_t>(b.extent().per_image()), b.extent().per_image(),
                  b.image(n).begin());
  }
}

}  // namespace softscore::inline SOFTSCORE_ABI
