#pragma once

#include <cstddef>
#include <random>
#include <vector>

#include <softscore/core/shape.hpp>

/// A batch of the backend with fixed standard normal elements.
template <class T, class Be>
auto random_batch(Be& be, const softscore::shape& extent, unsigned seed) {
  std::mt19937 engine{seed};
  std::normal_distribution<double> normal;
  std::vector<T> values(extent.size());
  for (T& v : values) v = static_cast<T>(normal(engine));
  auto array = be.template make<T>(extent);
  be.upload(values.data(), array.view());
  return array;
}

/// The elements of a view, on the host.
template <class Be, class T, class Space>
auto values_of(Be& be, softscore::view<T, Space> v) {
  std::vector<std::remove_const_t<T>> host(v.size());
  be.download(v, host.data());
  return host;
}
