#pragma once

#include <concepts>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include <softscore/core/config.hpp>
#include <softscore/core/time_grid.hpp>
#include <softscore/corruption/at_each_time.hpp>
#include <softscore/denoiser/concept.hpp>
#include <softscore/denoiser/network_time.hpp>
#include <softscore/denoiser/parameterization.hpp>
#include <softscore/nn/ask_network.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Makes a denoiser from a network (nn/concept.hpp): h = of_input x_t + of_output phi(x_t, t), with the
/// parameterization's weights. The network receives the time on its own scale (network_time.hpp), and what else is
/// known about the images. The aliases below name the parameterizations of the field.
template <StatesImage Net, Parameterization L>
class network_denoiser {
 public:
  static constexpr int evaluations = 1;
  static constexpr prediction predicts = L::predicts;
  using network_type = Net;
  using any_size = std::bool_constant<TakesAnySize<Net>>;

  explicit network_denoiser(Net network, L parameterization = {})
      : network_{std::move(network)}, parameterization_{std::move(parameterization)} {}

  const Net& network() const { return network_; }
  Net& network() { return network_; }
  const L& parameterization() const { return parameterization_; }
  /// Throws `error` at a time that the network does not accept, or at which its output cannot give the estimate.
  void check(diffusion_time t) const {
    static_cast<void>(parameterization_.weights(t));
    check_network_time(t);
  }
  /// Throws `error` at a time that has no value on the network's scale, or that the network does not accept.
  void check_network_time(diffusion_time t) const {
    const auto of_network = network_time(network_, parameterization_, t);
    if constexpr (ChecksNetworkTime<Net>) network_.check_time(of_network);
  }
  /// Throws `error` for images, or conditions, that the network does not accept.
  void check(const conditioning& given, const shape& images) const {
    if constexpr (TakesAnySize<Net> && StatesOutput<Net>) static_cast<void>(network_.output(images));
    check_conditioning(network_, given, images);
  }
  /// The shape of one image.
  shape image() const { return network_.image(); }
  /// The number of classes that the network knows.
  std::size_t label_count() const
    requires TakesLabels<Net>
  {
    return network_.label_count();
  }

  template <class NetworkMemory>
  struct memory {
    NetworkMemory network;
    std::vector<double> of_input{}, of_output{};  // per image, if images have times of their own
    std::vector<time_type_of<Net>> of_network{};  // the same on the network's scale
  };

  template <Scalar T, class Be>
    requires HasNetworkWorkspace<Net, Be, T>
  memory<network_workspace_of<Net, Be, T>> workspace(Be& be, const shape& most) const {
    return {network_.template workspace<T>(be, most), std::vector<double>(most.images),
            std::vector<double>(most.images), std::vector<time_type_of<Net>>(most.images)};
  }

  template <class Be, Scalar T, class M>
    requires AnswersDenoiser<Net, Be, T>
  void estimate(Be& be, const condition& q, in_of<Be, T> x, out_of<Be, T> out, M& ws) const {
    evaluate<Be, T>(be, q, x, out, ws);
    from_output<Be, T>(be, q.times, x, out, out, ws);
  }

  /// Stores the network's output at x, under its own parameters, into `phi`.
  template <class Be, Scalar T, class M>
  void evaluate(Be& be, const condition& q, in_of<Be, T> x, out_of<Be, T> phi, M& ws) const {
    detail::evaluate_asked<Be, T>(be, network_, input(q, std::nullopt, x.extent().images, ws), x, phi, ws.network);
  }

  /// The condition that the network receives.
  template <class M>
  network_input<time_type_of<Net>> input(const condition& q, const std::optional<dropout_draw>& dropout,
                                         std::size_t images, M& ws) const {
    return {network_times(network_, parameterization_, q.times, images, ws.of_network), q.given, dropout};
  }

  /// Stores the estimate that corresponds to the network's output `phi` at x into `out`, which may be `phi`.
  template <class Be, Scalar T, class M>
  void from_output(Be& be, per_image<diffusion_time> times, in_of<Be, T> x, in_of<Be, T> phi, out_of<Be, T> out,
                   M& ws) const {
    using one = term_of<Be, T>;
    be.combine(out, one{of_input(times, x.extent().images, ws), x}, one{of_output(times, x.extent().images, ws), phi});
  }

  /// Turns the gradient of a loss in h into the gradient in phi: `out` = of_output `gradient`. `out` may be `gradient`.
  template <class Be, Scalar T, class M>
  void to_output(Be& be, per_image<diffusion_time> times, in_of<Be, T> gradient, out_of<Be, T> out, M& ws) const {
    be.combine(out, term_of<Be, T>{of_output(times, out.extent().images, ws), gradient});
  }

  template <class Be, Scalar T, class M>
    requires PullsOutputBack<Net, Be, T>
  void pullback(Be& be, const condition& q, in_of<Be, T> v, out_of<Be, T> out, M& ws) const {
    using one = term_of<Be, T>;
    network_.pullback(be, v, out, ws.network);
    be.combine(out, one{of_output(q.times, out.extent().images, ws), out},
               one{of_input(q.times, out.extent().images, ws), v});
  }

 protected:
  template <class M>
  per_image<double> of_input(per_image<diffusion_time> times, std::size_t images, M& ws) const {
    return detail::at_each_time<double>(times, images, ws.of_input,
                                        [&](diffusion_time t) { return parameterization_.weights(t).of_input; });
  }
  template <class M>
  per_image<double> of_output(per_image<diffusion_time> times, std::size_t images, M& ws) const {
    return detail::at_each_time<double>(times, images, ws.of_output,
                                        [&](diffusion_time t) { return parameterization_.weights(t).of_output; });
  }

 private:
  Net network_;
  L parameterization_;
};

/// The network predicts the residual x_0 - x_t (Daras et al. 2022, Eq. 12).
template <StatesImage Net>
class residual_denoiser : public network_denoiser<Net, residual_parameterization> {
 public:
  explicit residual_denoiser(Net network) : network_denoiser<Net, residual_parameterization>{std::move(network)} {}
};

/// The network predicts x_0 (Bansal et al. 2022).
template <StatesImage Net>
class clean_denoiser : public network_denoiser<Net, clean_parameterization> {
 public:
  explicit clean_denoiser(Net network) : network_denoiser<Net, clean_parameterization>{std::move(network)} {}
};

/// The network predicts the noise of a corruption with C = a I (Ho et al. 2020).
template <StatesImage Net, class C>
class epsilon_denoiser : public network_denoiser<Net, epsilon_parameterization<C>> {
 public:
  epsilon_denoiser(Net network, C corruption)
      : network_denoiser<Net, epsilon_parameterization<C>>{std::move(network),
                                                           epsilon_parameterization<C>{std::move(corruption)}} {}
};

/// The network predicts the velocity a eps - sigma x_0 of a variance-preserving corruption (Salimans and Ho 2022).
template <StatesImage Net, class C>
class velocity_denoiser : public network_denoiser<Net, velocity_parameterization<C>> {
 public:
  velocity_denoiser(Net network, C corruption)
      : network_denoiser<Net, velocity_parameterization<C>>{std::move(network),
                                                            velocity_parameterization<C>{std::move(corruption)}} {}
};

/// The network predicts the score of a corruption with C = a I (Daras et al. 2022, Eq. 16).
template <StatesImage Net, class C>
class score_denoiser : public network_denoiser<Net, score_parameterization<C>> {
 public:
  score_denoiser(Net network, C corruption)
      : network_denoiser<Net, score_parameterization<C>>{std::move(network),
                                                         score_parameterization<C>{std::move(corruption)}} {}
};

/// `d.network()` is the network that `d` owns, a `D::network_type`.
template <class D>
concept OwnsNetwork = requires(D d, const D constant) {
  typename D::network_type;
  { d.network() } -> std::same_as<typename D::network_type&>;
  { constant.network() } -> std::same_as<const typename D::network_type&>;
};

/// Stores the output of the denoiser's network at x into `out`, with the flat `parameters` in the backend's memory. A
/// training step does this before `network().backward`. The network receives the time on its own scale, the condition
/// of the images, and the draw of its dropout layers. `workspace` is the denoiser's.
template <class Be, Scalar T, OwnsNetwork D, class M>
void forward_network(Be& be, const D& denoiser, in_of<Be, T> parameters, const condition& q,
                     const std::optional<dropout_draw>& dropout, in_of<Be, T> x, out_of<Be, T> out, M& workspace) {
  if constexpr (requires { denoiser.input(q, dropout, std::size_t{}, workspace); })
    detail::forward_asked<Be, T>(be, denoiser.network(), parameters,
                                 denoiser.input(q, dropout, x.extent().images, workspace), x, out, workspace.network);
  else
    detail::forward_asked<Be, T>(be, denoiser.network(), parameters,
                                 network_input<diffusion_time>{q.times, q.given, dropout}, x, out, workspace.network);
}

/// A denoiser that training can change: it owns a network, its workspace has the network's workspace as the member
/// `network`, and it says how the estimate follows from the network's output.
template <class D, class Be = archetype_backend, class T = float>
concept Trainable = OwnsNetwork<D> && ParameterizesOutput<D, Be, T> && requires(workspace_of<D, Be, T>& ws) {
  { (ws.network) } -> std::same_as<workspace_of<typename D::network_type, Be, T>&>;
};

}  // namespace softscore::inline SOFTSCORE_ABI
