#pragma once

#include <cstddef>
#include <utility>

#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/denoiser/network_denoiser.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The network predicts the noise of a corruption with C = a I and, in as many additional channels, the share u of log
/// beta in the logarithm of the variance of an ancestral step (Nichol and Dhariwal 2021, Eq. 15). Train it with
/// `learned_variance_loss`; `learned_ddpm{}` uses both for sampling. Throws `error` unless the network's output has
/// twice the channels of the image.
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
    A cotangents;  // (N,2c,H,W), v and then 0 of every image
    A vectors;     // (2N,c,H,W), of which the first N are v
  };

  template <Scalar T, class Be>
  auto workspace(Be& be, const shape& most) const {
    auto of_base = base::template workspace<T>(be, most);
    shape both = most;
    both.channels *= 2;
    return memory<decltype(of_base), array_of<Be, T>>{std::move(of_base), be.template make<T>(both),
                                                      be.template make<T>(both), be.template make<T>(both)};
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
    requires PullsOutputBack<Net, Be, T>
  void pullback(Be& be, const condition& q, in_of<Be, T> v, out_of<Be, T> out, M& ws) const {
    using one = term_of<Be, T>;
    const std::size_t images = v.extent().images;
    const shape halves = v.extent().with_images(2 * images);
    const view_of<Be, T> vectors = ws.vectors.view().slice(0, halves);
    be.combine(vectors.images(0, images), one{1.0, v});
    be.each_pixel(before_zeros{}, per_image<level>{level{}}, vectors, ws.cotangents.view().slice(0, halves));
    this->network().pullback(be, view_of<Be, const T>(ws.cotangents.view().images(0, images)), out, ws.network);
    be.combine(out, one{this->of_output(q.times, images, ws), out}, one{this->of_input(q.times, images, ws), v});
  }

 public:  // for kernels, which can use only public types
  // Taken from (2N,c,H,W), where eps and u of every image alternate: image 2 i + which. `from` is image i.
  struct taken_half {
    std::size_t which;
    template <class T>
    SOFTSCORE_HD T operator()(level, const shape& s, pixel p, std::size_t i, const T* from) const {
      return from[(i + which) * s.per_image() + p.offset(s)];
    }
  };
  // Image j / 2 if j is even, and 0 if j is odd; `from` is image j.
  struct before_zeros {
    template <class T>
    SOFTSCORE_HD T operator()(level, const shape& s, pixel p, std::size_t j, const T* from) const {
      const T* first = from - j * s.per_image();
      return j % 2 == 0 ? first[j / 2 * s.per_image() + p.offset(s)] : T{};
    }
  };

 private:
  template <class Be, Scalar T, class M>
  static void take_half(Be& be, std::size_t which, view_of<Be, T> out, M& ws) {
    const shape halves = out.extent().with_images(2 * out.extent().images);
    be.each_pixel(taken_half{which}, per_image<level>{level{}}, ws.output.view().slice(0, halves), out);
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI
