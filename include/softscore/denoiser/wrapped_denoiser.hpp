#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

#include <softscore/core/config.hpp>
#include <softscore/denoiser/concept.hpp>
#include <softscore/nn/concept.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// What a wrapper passes on from the denoiser inside it: which times, images, labels and other conditions it accepts,
/// what an estimate costs, and a learned variance. Wrappers derive from it; the inner denoiser's workspace is the
/// member `denoiser` of their workspaces.
template <class D>
class wrapped_denoiser {
 public:
  static constexpr int evaluations = D::evaluations;
  using any_size = std::bool_constant<TakesAnySize<D>>;

  const D& inner() const { return denoiser_; }

  /// Throws what the inner denoiser throws at a time at which it has no answer.
  void check(diffusion_time t) const {
    if constexpr (ChecksTimes<D>) denoiser_.check(t);
  }
  /// Throws what the inner denoiser throws for images, or conditions, that it does not accept.
  void check(const conditioning& given, const shape& images) const {
    if constexpr (ChecksBatch<D>) denoiser_.check(given, images);
  }
  /// The shape of one image, if the inner denoiser knows it.
  shape image() const
    requires KnowsImage<D>
  {
    return denoiser_.image();
  }
  /// The number of classes that the inner denoiser knows.
  std::size_t label_count() const
    requires TakesLabels<D>
  {
    return denoiser_.label_count();
  }
  /// Stores the variance of a step that the inner denoiser learned, at the last estimate in its part of the workspace.
  template <class Be, Scalar T, class M>
  void variance_share(Be& be, const condition& q, out_of<Be, T> out, M& ws) const
    requires LearnsVariance<D, Be, T> && requires { ws.denoiser; }
  {
    denoiser_.variance_share(be, q, out, ws.denoiser);
  }

 protected:
  explicit wrapped_denoiser(D denoiser) : denoiser_{std::move(denoiser)} {}

 private:
  D denoiser_;
};

}  // namespace softscore::inline SOFTSCORE_ABI
