#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <softscore/core/config.hpp>
#include <softscore/operator/concept.hpp>
#include <softscore/operator/small_svd.hpp>
#include <softscore/operator/transform_axis.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The singular values and vectors of a map that acts on channels, rows and columns one after another: the vectors are
/// those of the three matrices, and the values are the products of three values. Mode (c, i, j) is at the position of
/// pixel (c, i, j). A transform to or from modes costs one pass for each axis that the map acts on.
class kronecker_svd {
 public:
  /// One axis: U, the values and V of its n x n matrix, row by row; empty if the map does not act on it.
  struct axis {
    std::shared_ptr<const std::vector<double>> u, v;
    std::vector<double> values;

    axis() = default;
    explicit axis(detail::small_svd parts)
        : u{std::make_shared<const std::vector<double>>(std::move(parts.u))},
          v{std::make_shared<const std::vector<double>>(std::move(parts.v))},
          values{std::move(parts.values)} {}
  };

  template <class = when_called>
  kronecker_svd(const shape& image, axis channels, axis rows, axis columns)
      : axes_{std::move(channels), std::move(rows), std::move(columns)} {
    const auto of = [](const axis& a, std::size_t i) { return a.values.empty() ? 1.0 : a.values[i]; };
    values_.reserve(image.per_image());
    for (std::size_t c = 0; c < image.channels; ++c)
      for (std::size_t y = 0; y < image.height; ++y)
        for (std::size_t x = 0; x < image.width; ++x)
          values_.push_back(of(axes_[0], c) * of(axes_[1], y) * of(axes_[2], x));
  }

  /// The same vectors with other values, one for each element of an image, if these are not products.
  template <class = when_called>
  kronecker_svd(axis channels, axis rows, axis columns, std::vector<double> values)
      : axes_{std::move(channels), std::move(rows), std::move(columns)}, values_{std::move(values)} {}

  std::span<const double> values() const { return {values_.data(), values_.size()}; }

  template <class Be, Scalar T>
  void to_modes(Be& be, in_of<Be, T> in, out_of<Be, T> out) const {
    transform<true, T>(be, &axis::v, in, out);
  }
  template <class Be, Scalar T>
  void from_modes(Be& be, in_of<Be, T> in, out_of<Be, T> out) const {
    transform<false, T>(be, &axis::v, in, out);
  }
  template <class Be, Scalar T>
  void measurement_to_modes(Be& be, in_of<Be, T> in, out_of<Be, T> out) const {
    transform<true, T>(be, &axis::u, in, out);
  }
  template <class Be, Scalar T>
  void measurement_from_modes(Be& be, in_of<Be, T> in, out_of<Be, T> out) const {
    transform<false, T>(be, &axis::u, in, out);
  }

 private:
  using factor = std::shared_ptr<const std::vector<double>> axis::*;

  template <bool Transposed, Scalar T, class Be>
  void transform(Be& be, factor side, view_of<Be, const T> in, view_of<Be, T> out) const {
    std::size_t passes = 0;
    for (const axis& a : axes_)
      if (a.*side != nullptr) ++passes;
    if (passes == 0) {
      be.combine(out, term_of<Be, T>{1.0, in});
      return;
    }
    auto scratch = be.template make<T>(in.extent());
    // The last pass ends in `out`, those before it alternate.
    view_of<Be, const T> from = in;
    for (std::size_t k = 0; k < axes_.size(); ++k) {
      const auto& matrix = axes_[k].*side;
      if (matrix == nullptr) continue;
      const view_of<Be, T> to = --passes % 2 == 0 ? out : scratch.view();
      detail::transform_axis<Transposed, T>(be, static_cast<detail::image_axis>(k), be.constant(matrix), 0, from, to);
      from = to;
    }
  }

  std::array<axis, 3> axes_;
  std::vector<double> values_;
};
static_assert(SingularValues<kronecker_svd, archetype_backend, float>);

}  // namespace softscore::inline SOFTSCORE_ABI
