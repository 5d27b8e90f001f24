#pragma once

#include <cstddef>
#include <utility>

#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/denoiser/network_denoiser.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The network predicts the noise of a corruption with C = a I and, in as many channels more, the share u of log beta
/// in the logarithm of the variance of an ancestral step (Nichol and Dhariwal 2021, Eq. 15). Train it with
/// `learned_variance_loss`; `learned_ddpm{}` samples by both. Throws `error` unless the network's output has twice the
/// channels of the image.
template <class Net, class C>
class learned_variance_denoiser : public network_denoiser<Net, epsilon_parameterization<C>> {
  using base = network_denoiser<Net, epsilon_parameterization<C>>;

 public:
  learned_variance_denoiser(Net network, C corruption)
      : base{std::move(network), epsilon_parameterization<C>{std::move(corruption)}} {
    static_assert(
        requires(const Net& net) { std::size_t{net.output_channels()}; },
        "softscore: a learned variance needs a network that states the channels of its output");
    const std::size_t channels = this->network().output_channels();
    require(channels == 2 * this->image().channels, "channels of the network's output", channels,
            "twice those of the image where the variance is learned");
  }

  template <class M, class A>
  struct memory : M {
    A output;      // (N,2c,H,W), eps and then u of every image
    A cotangents;  // (N,2c,H,W), of which the second halves stay 0
  };

  template <Scalar T, class Be>
  auto workspace(Be& be, const shape& most) const {
    auto of_base = base::template workspace<T>(be, most);
    shape both = most;
    both.channels *= 2;
    return memory<decltype(of_base), array_of<Be, T>>{std::move(of_base), be.template make<T>(both),
                                                      be.template make<T>(both)};
  }

  template <class Be, Scalar T, class M>
  void estimate(Be& be, const condition& q, in_of<Be, T> x, out_of<Be, T> out, M& ws) const {
    this->template evaluate<Be, T>(be, q, x, ws.output.view().images(0, x.extent().images), ws);
    take_half<Be, T>(be, 0, out, ws);
    this->template from_output<Be, T>(be, q.times, x, out, out, ws);
  }

  /// Stores u of the workspace's last estimate.
  template <class Be, Scalar T, class M>
  void variance_share(Be& be, const condition&, out_of<Be, T> out, M& ws) const {
    take_half<Be, T>(be, 1, out, ws);
  }

  template <class Be, Scalar T, class M>
  void pullback(Be& be, const condition& q, in_of<Be, T> v, out_of<Be, T> out, M& ws) const {
    using one = term_of<Be, T>;
    const std::size_t images = v.extent().images;
    for (std::size_t i = 0; i < images; ++i)
      be.combine(half<Be, T>(ws.cotangents.view(), i, 0, v.extent()), one{1.0, v.images(i, 1)});
    this->network().pullback(be, view_of<Be, const T>(ws.cotangents.view().images(0, images)), out, ws.network);
    be.combine(out, one{this->of_output(q.times, images, ws), out}, one{this->of_input(q.times, images, ws), v});
  }

 private:
  // eps (`which` = 0) or u (1) of image i.
  template <class Be, Scalar T>
  static view_of<Be, T> half(view_of<Be, T> both, std::size_t i, std::size_t which, const shape& extent) {
    return both.slice((2 * i + which) * extent.per_image(), extent.with_images(1));
  }
  template <class Be, Scalar T, class M>
  static void take_half(Be& be, std::size_t which, view_of<Be, T> out, M& ws) {
    for (std::size_t i = 0; i < out.extent().images; ++i)
      be.combine(out.images(i, 1), term_of<Be, T>{1.0, half<Be, T>(ws.output.view(), i, which, out.extent())});
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI
