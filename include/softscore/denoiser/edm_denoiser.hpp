#pragma once

#include <concepts>
#include <cstddef>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/corruption/at_each_time.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/nn/ask_network.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The coefficients of EDM's preconditioning at noise s = sigma / a, for data of standard deviation d (Karras et al.
/// 2022, Table 1).
struct edm_numbers {
  double skip{};   ///< d^2 / (s^2 + d^2)
  double out{};    ///< s d / sqrt(s^2 + d^2)
  double in{};     ///< 1 / sqrt(s^2 + d^2)
  double label{};  ///< ln(s) / 4, which the network receives instead of the time
};
inline edm_numbers edm_preconditioning(double noise, double data_deviation) {
  require(noise > 0.0, "sigma / a under EDM's preconditioning", noise, "above 0");
  require(noise <= 1e75, "sigma / a under EDM's preconditioning", noise, "at most 1e75");
  const double sum = noise * noise + data_deviation * data_deviation, root = std::sqrt(sum);
  return {data_deviation * data_deviation / sum, noise * data_deviation / root, 1.0 / root, 0.25 * std::log(noise)};
}

namespace detail {
// sigma_t and a_t of a corruption with C = a I, in EDM's terms.
template <class C>
struct edm_scale {
  C corruption;
  double data_deviation;

  edm_scale(C c, double d) : corruption{std::move(c)}, data_deviation{d} {
    static_assert(ScalarGaussianCorruption<C>,
                  "softscore: EDM's preconditioning needs normal noise and a signal that is a number times the image, "
                  "and this corruption lacks one of them");
    require(d > 0.0 && std::isfinite(d), "data_deviation", d, "above 0 and finite");
  }
  double gain(diffusion_time t) const {
    const double a = corruption.signal_gain(t);
    require(a > 0.0, "the signal's gain under EDM's preconditioning", a, "above 0");
    return a;
  }
  edm_numbers numbers(diffusion_time t) const {
    return edm_preconditioning(corruption.sigma(t) / gain(t), data_deviation);
  }
};
}  // namespace detail

/// phi is the output of the preconditioned network, so h = skip x_t / a_t + out phi.
template <class C>
class edm_parameterization {
 public:
  static constexpr prediction predicts = prediction::preconditioned;
  edm_parameterization(C corruption, double data_deviation) : scale_{std::move(corruption), data_deviation} {}

  /// Throws `error` where there is no noise or nothing is left of the signal.
  parameterization_weights weights(diffusion_time t) const {
    const edm_numbers n = scale_.numbers(t);
    return {n.skip / scale_.gain(t), n.out};
  }

 private:
  detail::edm_scale<C> scale_;
};

/// A network that receives in x / a instead of x and `c_noise`, ln(sigma / a) / 4, instead of the time (Karras et al.
/// 2022, Table 1). It has the parameters, and everything else, of the network it wraps.
template <StatesImage Net, class C>
class edm_network : public Net {
 public:
  using time_type = diffusion_time;  // the type of time that it receives, unlike Net

  edm_network(Net network, C corruption, double data_deviation)
      : Net{std::move(network)}, scale_{std::move(corruption), data_deviation} {}

  /// Throws `error` for what the wrapped network does not accept.
  void check(const conditioning& given, const shape& images) const { check_conditioning(inner(), given, images); }

  template <class Be, class T>
  struct memory {
    decltype(std::declval<const Net&>().template workspace<T>(std::declval<Be&>(), shape{})) network;
    array_of<Be, T> shown;
    std::vector<double> gains;  // of the last evaluation, one per image
    std::vector<c_noise> labels;
  };

  template <class T, class Be>
    requires HasNetworkWorkspace<Net, Be, T>
  memory<Be, T> workspace(Be& be, const shape& most) const {
    return {Net::template workspace<T>(be, most), be.template make<T>(most), std::vector<double>(most.images),
            std::vector<c_noise>(most.images)};
  }

  template <class Be, class T, class Input>
    requires NetworkInput<Input> && std::same_as<time_of_input<Input>, diffusion_time>
  void evaluate(Be& be, const Input& asked, in_of<Be, T> x, std::type_identity_t<view_of<Be, T>> out,
                memory<Be, T>& ws) const {
    const network_input<c_noise> input = show<Be, T>(be, network_input{asked}, x, ws);
    constexpr bool takes_c_noise = requires(const Net& net, const view_of<Be, const T>& seen) {
      net.evaluate(be, input.times, seen, out, ws.network);
    };
    static_assert(
        takes_c_noise,
        "softscore: EDM shows its network c_noise, ln(sigma / a) / 4, instead of the time, and this network's "
        "evaluate takes no per_image<c_noise>");
    if constexpr (takes_c_noise)
      detail::evaluate_asked<Be, T>(be, inner(), input, shown<Be, T>(x, ws), out, ws.network);
  }

  template <class Be, class T, class Input>
    requires NetworkInput<Input> && std::same_as<time_of_input<Input>, diffusion_time>
  void forward(Be& be, in_of<Be, T> parameters, const Input& asked, in_of<Be, T> x,
               std::type_identity_t<view_of<Be, T>> out, memory<Be, T>& ws) const {
    const network_input<c_noise> input = show<Be, T>(be, network_input{asked}, x, ws);
    detail::forward_asked<Be, T>(be, inner(), parameters, input, shown<Be, T>(x, ws), out, ws.network);
  }

  template <class Be, class T>
  void backward(Be& be, in_of<Be, T> parameters, in_of<Be, T> dout, std::type_identity_t<view_of<Be, T>> dx,
                std::type_identity_t<view_of<Be, T>> gradients, memory<Be, T>& ws) const {
    Net::template backward<Be, T>(be, parameters, dout, dx, gradients, ws.network);
    if (!dx.empty()) be.combine(dx, term_of<Be, T>{gains(ws), dx});
  }

  template <class Be, class T>
    requires PullsOutputBack<Net, Be, T>
  void pullback(Be& be, in_of<Be, T> v, std::type_identity_t<view_of<Be, T>> out, memory<Be, T>& ws) const {
    Net::pullback(be, v, out, ws.network);
    be.combine(out, term_of<Be, T>{gains(ws), out});
  }

 private:
  const Net& inner() const { return *this; }

  // Stores in x / a in the workspace, and returns what the network receives instead of times.
  template <class Be, class T>
  network_input<c_noise> show(Be& be, const network_input<diffusion_time>& asked, view_of<Be, const T> x,
                              memory<Be, T>& ws) const {
    const std::size_t images = x.extent().images;
    for (std::size_t i = 0; i < images; ++i) {
      const edm_numbers n = scale_.numbers(asked.times[i]);
      ws.gains[i] = n.in / scale_.gain(asked.times[i]);
      ws.labels[i] = c_noise{n.label};
    }
    be.combine(ws.shown.view().images(0, images), term_of<Be, T>{gains(ws), x});
    return {asked.times.shared() ? per_image<c_noise>{ws.labels[0]} : each_of(ws.labels), asked.given, asked.dropout};
  }
  template <class Be, class T>
  static view_of<Be, const T> shown(view_of<Be, const T> x, memory<Be, T>& ws) {
    return ws.shown.view().images(0, x.extent().images);
  }
  template <class Be, class T>
  static per_image<double> gains(const memory<Be, T>& ws) {
    return each_of(ws.gains);
  }

  detail::edm_scale<C> scale_;
};

/// EDM's denoiser (Karras et al. 2022, Eq. 7): h = skip x_t / a_t + out F(in x_t / a_t, ln(s) / 4) with s = sigma_t /
/// a_t. Train it with `weighted_loss<edm_weight>`, which gives every noise the same weight on F.
template <StatesImage Net, class C>
class edm_denoiser : public network_denoiser<edm_network<Net, C>, edm_parameterization<C>> {
 public:
  edm_denoiser(Net network, C corruption, double data_deviation = 0.5)
      : network_denoiser<edm_network<Net, C>, edm_parameterization<C>>{
            edm_network<Net, C>{std::move(network), corruption, data_deviation},
            edm_parameterization<C>{corruption, data_deviation}} {}
};

}  // namespace softscore::inline SOFTSCORE_ABI
