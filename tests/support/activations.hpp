#pragma once

#include <cstddef>
#include <vector>

#include <softscore/backend/concept.hpp>

#include "catch.hpp"
#include "random_batch.hpp"

// Arrays of a backend from and to doubles in plain order, for tests of operations.

using numbers = std::vector<double>;

inline double sum_of_products(const numbers& a, const numbers& b) {
  REQUIRE(a.size() == b.size());
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

/// The nearest numbers that float has.
inline numbers rounded(numbers values) {
  for (double& v : values) v = static_cast<double>(static_cast<float>(v));
  return values;
}

/// An array of the backend with these values, as they are: vectors, parameters.
template <class T, class Be>
auto array_holding(Be& be, const numbers& values, const softscore::shape& s) {
  REQUIRE(values.size() == s.size());
  auto array = be.template make<T>(s);
  const std::vector<T> converted(values.begin(), values.end());
  be.upload(converted.data(), array.view());
  return array;
}

/// An activation of the backend, in activation order, with these values.
template <class T, class Be>
auto activation_of(Be& be, const numbers& values, const softscore::shape& s) {
  auto plain = array_holding<T>(be, values, s);
  auto packed = be.template make<T>(s);
  pack(be, plain.view(), packed.view());
  return packed;
}

/// The numbers of an array, as they are.
template <class T, class Be>
numbers array_values(Be& be, softscore::view_of<Be, T> v) {
  const std::vector<T> host = values_of(be, v);
  return {host.begin(), host.end()};
}

/// The numbers of an activation, in plain order.
template <class T, class Be>
numbers activation_values(Be& be, softscore::view_of<Be, T> v) {
  auto plain = be.template make<T>(v.extent());
  unpack(be, v, plain.view());
  return array_values<T>(be, plain.view());
}
