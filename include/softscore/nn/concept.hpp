#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include <softscore/backend/concept.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/per_image.hpp>
#include <softscore/core/quantity.hpp>
#include <softscore/core/shape.hpp>
#include <softscore/nn/network_input.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// A network owns a master copy of its parameters on the host, one flat array. `stamp()` changes whenever they may have
/// changed. `initialized()` says whether they were ever initialized, set or handed out for writing.
template <class N>
concept HasParameters = requires(const N net, N changing, std::span<const float> values) {
  { net.parameter_count() } -> std::convertible_to<std::size_t>;
  net.layout();
  { net.parameters() } -> std::convertible_to<std::span<const float>>;
  { changing.mutable_parameters() } -> std::convertible_to<std::span<float>>;
  changing.set_parameters(values);
  changing.initialize(std::uint64_t{});
  { net.initialized() } -> std::same_as<bool>;
  { net.stamp() } -> std::convertible_to<std::uint64_t>;
};

/// `net.workspace<T>(be, shape)` makes all memory that evaluations of at most `shape.images` images write to.
template <class N, class Be, class T>
concept HasNetworkWorkspace = requires(const N net, Be& be, shape s) { net.template workspace<T>(be, s); };

template <class N, class Be, class T>
using network_workspace_of = decltype(std::declval<const N&>().template workspace<T>(std::declval<Be&>(), shape{}));

/// `N::time_type`: the scale on which a network takes the time.
template <class N>
concept StatesTimeType = requires { requires NetworkTime<typename N::time_type>; };

namespace detail {
template <class N>
struct time_type {
  using type = diffusion_time;
};
template <StatesTimeType N>
struct time_type<N> {
  using type = typename N::time_type;
};
}  // namespace detail

/// The scale on which a network takes the time: `diffusion_time` if it states none.
template <class N>
using time_type_of = typename detail::time_type<N>::type;

/// `net.steps()`: the number T of steps in the chain that a network was made for; the network takes its indices
/// (`step_index`).
template <class N>
concept StatesSteps = requires(const N net) {
  { net.steps() } -> std::convertible_to<std::size_t>;
};

/// `net.image()` is the shape of one image that a network maps.
template <class N>
concept StatesImage = requires(const N net) {
  { net.image() } -> std::convertible_to<shape>;
};

/// `N::any_size` is true: a network, or a denoiser, that accepts images of other heights and widths than those of
/// `image()`. Its `output(images)` or `check(given, images)` decides which.
template <class N>
concept TakesAnySize = requires { requires N::any_size::value; };

/// `net.label_count()` is the number of classes that a network, or a denoiser, knows; 0 if it was made without classes.
/// Labels are below it, or `no_class`.
template <class N>
concept TakesLabels = requires(const N net) {
  { net.label_count() } -> std::convertible_to<std::size_t>;
};

/// `net.evaluate(be, times, x, out, workspace)` with the network's own parameters.
template <class N, class Be, class T, class Time = time_type_of<N>>
concept Evaluates = HasNetworkWorkspace<N, Be, T> &&
                    requires(const N net, Be& be, per_image<Time> times, view_of<Be, const T> x, view_of<Be, T> out,
                             network_workspace_of<N, Be, T>& ws) { net.evaluate(be, times, x, out, ws); };

/// `forward` with parameters in the backend's memory, then `backward`, which sets dx and the gradients (either may be
/// empty); `pullback` after either kind of evaluation gives dx alone.
template <class N, class Be, class T, class Time = time_type_of<N>>
concept Trains =
    HasNetworkWorkspace<N, Be, T> && requires(const N net, Be& be, per_image<Time> times, view_of<Be, const T> in,
                                              view_of<Be, T> out, network_workspace_of<N, Be, T>& ws) {
      net.forward(be, in, times, in, out, ws);
      net.backward(be, in, in, out, out, ws);
      net.pullback(be, in, out, ws);
    };

/// `net.output(images)`: the shape of the output for a batch of that shape, if the two differ. Optional.
template <class N>
concept StatesOutput = requires(const N net, const shape& images) {
  { net.output(images) } -> std::same_as<shape>;
};

/// The shape of a network's output for a batch of that shape.
template <class N>
shape output_extent(const N& net, const shape& images) {
  if constexpr (StatesOutput<N>) return net.output(images);
  return images;
}

/// `net.evaluate` and `net.forward` take a `network_input`, so that what is known about the images besides the time
/// reaches the network.
template <class N, class Be, class T, class Time = time_type_of<N>>
concept TakesConditioning =
    HasNetworkWorkspace<N, Be, T> &&
    requires(const N net, Be& be, const network_input<Time>& input, view_of<Be, const T> x, view_of<Be, T> out,
             network_workspace_of<N, Be, T>& ws) { net.evaluate(be, input, x, out, ws); };

/// A network that a denoiser can evaluate: with a `network_input`, or with the times alone.
template <class N, class Be, class T>
concept AnswersDenoiser = StatesImage<N> && (TakesConditioning<N, Be, T> || Evaluates<N, Be, T>);

/// `net.pullback(be, v, out, workspace)`: the transposed Jacobian in x times a vector, at the workspace's last
/// evaluation.
template <class N, class Be, class T>
concept PullsOutputBack =
    HasNetworkWorkspace<N, Be, T> && requires(const N net, Be& be, view_of<Be, const T> v, view_of<Be, T> out,
                                              network_workspace_of<N, Be, T>& ws) { net.pullback(be, v, out, ws); };

/// A map phi(x, t) with parameters and a hand-written gradient. `Time` is the scale on which it takes t: `c_noise` for
/// a network that `edm_denoiser` wraps. Models: plain_cnn, unet, edm_network, classifier, inception_v3.
template <class N, class Be, class T, class Time = time_type_of<N>>
concept Network = HasParameters<N> && Evaluates<N, Be, T, Time> && Trains<N, Be, T, Time>;

}  // namespace softscore::inline SOFTSCORE_ABI
