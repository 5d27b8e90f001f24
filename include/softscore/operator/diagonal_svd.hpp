#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/operator/concept.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The singular values and vectors of a diagonal matrix: the modes are the pixels, and a mode is measured with the sign
/// of its entry.
class diagonal_svd {
 public:
  /// `entries` are the diagonal, one for each element of an image.
  template <class = when_called>
  explicit diagonal_svd(std::vector<double> entries) : values_{std::move(entries)} {
    if (std::any_of(values_.begin(), values_.end(), [](double v) { return v < 0.0; })) {
      std::vector<double> signs(values_.size());
      for (std::size_t i = 0; i < signs.size(); ++i) {
        signs[i] = values_[i] < 0.0 ? -1.0 : 1.0;
        values_[i] = std::abs(values_[i]);
      }
      signs_ = std::make_shared<const std::vector<double>>(std::move(signs));
    }
  }

  std::span<const double> values() const { return {values_.data(), values_.size()}; }
  /// The diagonal.
  template <class = when_called>
  std::vector<double> entries() const {
    std::vector<double> all = values_;
    for (std::size_t i = 0; i < all.size() && signs_ != nullptr; ++i) all[i] *= (*signs_)[i];
    return all;
  }

  template <class Be, Scalar T>
  void to_modes(Be& be, in_of<Be, T> in, out_of<Be, T> out) const {
    be.combine(out, term_of<Be, T>{1.0, in});
  }
  template <class Be, Scalar T>
  void from_modes(Be& be, in_of<Be, T> in, out_of<Be, T> out) const {
    be.combine(out, term_of<Be, T>{1.0, in});
  }
  template <class Be, Scalar T>
  void measurement_to_modes(Be& be, in_of<Be, T> in, out_of<Be, T> out) const {
    if (signs_ == nullptr)
      to_modes<Be, T>(be, in, out);
    else
      be.each_pixel(turn{}, level{}, in, out, be.constant(signs_));
  }
  template <class Be, Scalar T>
  void measurement_from_modes(Be& be, in_of<Be, T> in, out_of<Be, T> out) const {
    measurement_to_modes<Be, T>(be, in, out);
  }

 public:  // for kernels, which can use only public types
  struct turn {
    template <class T>
    SOFTSCORE_HD T operator()(level, const shape& s, pixel p, std::size_t, const T* image, const double* signs) const {
      return static_cast<T>(signs[p.offset(s)]) * image[p.offset(s)];
    }
  };

 private:
  std::vector<double> values_;
  std::shared_ptr<const std::vector<double>> signs_;  // null if all are 1
};
static_assert(SingularValues<diagonal_svd, archetype_backend, float>);

/// A family whose svd states that it is diagonal.
template <class Op>
concept IsDiagonal = requires(const Op op, level w, const shape& image) {
  { degradation<Op>::svd(op, w, image) } -> std::same_as<diagonal_svd>;
};

}  // namespace softscore::inline SOFTSCORE_ABI
