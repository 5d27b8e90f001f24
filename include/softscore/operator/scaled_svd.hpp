#pragma once

#include <span>
#include <utility>
#include <vector>

#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/operator/concept.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The singular values and vectors of a number times a matrix whose own are known: the vectors do not change.
template <class D>
class scaled_svd {
 public:
  /// Throws `error` if the number is negative or NaN.
  scaled_svd(double gain, D parts) : parts_{std::move(parts)} {
    require(gain >= 0.0, "gain", gain, "at least 0");
    for (const double v : parts_.values()) values_.push_back(gain * v);
  }

  std::span<const double> values() const { return {values_.data(), values_.size()}; }

  template <class Be, Scalar T>
  void to_modes(Be& be, in_of<Be, T> in, out_of<Be, T> out) const {
    parts_.to_modes(be, in, out);
  }
  template <class Be, Scalar T>
  void from_modes(Be& be, in_of<Be, T> in, out_of<Be, T> out) const {
    parts_.from_modes(be, in, out);
  }
  template <class Be, Scalar T>
  void measurement_to_modes(Be& be, in_of<Be, T> in, out_of<Be, T> out) const {
    parts_.measurement_to_modes(be, in, out);
  }
  template <class Be, Scalar T>
  void measurement_from_modes(Be& be, in_of<Be, T> in, out_of<Be, T> out) const {
    parts_.measurement_from_modes(be, in, out);
  }

 private:
  D parts_;
  std::vector<double> values_;
};

}  // namespace softscore::inline SOFTSCORE_ABI
