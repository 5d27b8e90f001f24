#pragma once

#include <cstddef>
#include <span>

#include <softscore/core/config.hpp>
#include <softscore/core/per_image.hpp>
#include <softscore/core/quantity.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// Returns f at the time of each image: one number if the batch shares one time. Otherwise the numbers are stored in
// `buffer`, which the caller keeps, so that a step does not allocate and the numbers outlive the call.
template <class Value, class Buffer, class F>
per_image<Value> at_each_time(per_image<diffusion_time> times, std::size_t images, Buffer& buffer, F f) {
  if (times.shared()) return per_image<Value>{f(times[0])};
  buffer.resize(images);
  for (std::size_t i = 0; i < images; ++i) buffer[i] = f(times[i]);
  return each_of(buffer);
}

}  // namespace softscore::inline SOFTSCORE_ABI::detail
