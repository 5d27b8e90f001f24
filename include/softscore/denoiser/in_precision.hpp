#pragma once

#include <concepts>
#include <type_traits>
#include <utility>

#include <softscore/core/config.hpp>
#include <softscore/denoiser/archetype.hpp>
#include <softscore/denoiser/concept.hpp>
#include <softscore/denoiser/wrapped_denoiser.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// A denoiser that computes in `Net` for any precision of the sampler's state: `sample<double>` with
/// `in_precision<float>(denoiser)` keeps the state in double and evaluates the network in float. Its answer is the
/// inner denoiser's answer to x rounded to `Net`. If the state is `Net` already, nothing is copied.
template <Scalar Net, class D>
class precision_denoiser : public wrapped_denoiser<D> {
 public:
  explicit precision_denoiser(D denoiser) : wrapped_denoiser<D>{std::move(denoiser)} {}

  template <class Be>
  struct memory {
    workspace_of<D, Be, Net> inner;
    array_of<Be, Net> in, out;
  };

  template <Scalar T, class Be>
  memory<Be> workspace(Be& be, const shape& most) const {
    const shape none = most.with_images(0), own = std::same_as<T, Net> ? none : most;
    return {this->inner().template workspace<Net>(be, most), be.template make<Net>(own), be.template make<Net>(own)};
  }

  template <class Be, Scalar T>
  void estimate(Be& be, const condition& q, in_of<Be, T> x, out_of<Be, T> out, memory<Be>& ws) const {
    through<Be, T>(be, x, out, ws, [&](auto in, auto to) { this->inner().estimate(be, q, in, to, ws.inner); });
  }

  template <class Be, Scalar T>
    requires PullsBack<D, Be, Net>
  void pullback(Be& be, const condition& q, in_of<Be, T> v, out_of<Be, T> out, memory<Be>& ws) const {
    through<Be, T>(be, v, out, ws, [&](auto in, auto to) { this->inner().pullback(be, q, in, to, ws.inner); });
  }

  template <class Be, Scalar T>
    requires LearnsVariance<D, Be, Net>
  void variance_share(Be& be, const condition& q, out_of<Be, T> out, memory<Be>& ws) const {
    if constexpr (std::same_as<T, Net>) {
      this->inner().variance_share(be, q, out, ws.inner);
    } else {
      const auto share = ws.out.view().images(0, out.extent().images);
      this->inner().variance_share(be, q, share, ws.inner);
      be.convert(view_of<Be, const Net>(share), out);
    }
  }

 private:
  template <class Be, class T, class Ask>
  void through(Be& be, view_of<Be, const T> from, view_of<Be, T> to, memory<Be>& ws, Ask ask) const {
    if constexpr (std::same_as<T, Net>) {
      ask(from, to);
    } else {
      const std::size_t images = from.extent().images;
      const auto in = ws.in.view().images(0, images), out = ws.out.view().images(0, images);
      be.convert(from, in);
      ask(view_of<Be, const Net>(in), out);
      be.convert(view_of<Be, const Net>(out), to);
    }
  }
};
static_assert(Denoiser<precision_denoiser<float, archetype_denoiser>, archetype_backend, double>);

/// Wraps a denoiser so that it computes in `Net`.
template <Scalar Net, class D>
precision_denoiser<Net, D> in_precision(D denoiser) {
  return precision_denoiser<Net, D>{std::move(denoiser)};
}

}  // namespace softscore::inline SOFTSCORE_ABI
