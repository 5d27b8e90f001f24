#pragma once

#include <cstddef>

#include <softscore/backend/concept.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/number_text.hpp>
#include <softscore/nn/concept.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// `net.check(given, images)` throws for conditions, of a batch of that shape, that a network does not accept.
/// Optional.
template <class N>
concept ChecksConditioning =
    requires(const N net, const conditioning& given, const shape& images) { net.check(given, images); };

/// `net.check_time(t)` throws for a time on a network's own scale that it does not accept. Optional.
template <class N>
concept ChecksNetworkTime = requires(const N net, time_type_of<N> t) { net.check_time(t); };

namespace detail {

// out = phi for a network that takes a `network_input`, and for one that takes the times alone.
template <class Be, Scalar T, class N, class Time, class M>
void evaluate_asked(Be& be, const N& net, const network_input<Time>& asked, in_of<Be, T> x, out_of<Be, T> out,
                    M& workspace) {
  if constexpr (TakesConditioning<N, Be, T, Time>)
    net.evaluate(be, asked, x, out, workspace);
  else
    net.evaluate(be, asked.times, x, out, workspace);
}

// The same with the flat `parameters` in the backend's memory; `net.backward` may follow.
template <class Be, Scalar T, class N, class Time, class M>
void forward_asked(Be& be, const N& net, in_of<Be, T> parameters, const network_input<Time>& asked, in_of<Be, T> x,
                   out_of<Be, T> out, M& workspace) {
  if constexpr (TakesConditioning<N, Be, T, Time>)
    net.forward(be, parameters, asked, x, out, workspace);
  else
    net.forward(be, parameters, asked.times, x, out, workspace);
}

}  // namespace detail

/// Throws `error` for labels, an image or features given to a network that takes none, for labels that are not classes
/// of it, and as the network's own `check` does. A network that takes more than the times states its `time_type`.
template <class N>
void check_conditioning(const N& net, const conditioning& given, const shape& images) {
  if (!given.labels.empty()) {
    std::size_t classes = 0;
    if constexpr (TakesLabels<N>) classes = net.label_count();
    require(classes > 0, "labels given to a network", given.labels.size(), "none, for this network takes no labels");
    for (std::size_t i = 0; i < given.labels.size(); ++i)
      if (given.labels[i] < no_class || (given.labels[i] >= 0 && static_cast<std::size_t>(given.labels[i]) >= classes))
        reject("the label of image " + detail::shown(i), given.labels[i],
               "between 0 and " + detail::shown(classes - 1) + ", or -1 for none");
  }
  constexpr bool sees_more = StatesTimeType<N> || TakesLabels<N>;
  if constexpr (!sees_more && !ChecksConditioning<N>)
    if (!given.image.empty())
      reject("an image given to a network beside x", given.image.extent(), "missing, for this network takes none");
  if constexpr (!sees_more)
    if (!given.features.empty())
      reject("features given to a network", given.features.extent(), "missing, for this network takes none");
  if constexpr (ChecksConditioning<N>) net.check(given, images);
}

}  // namespace softscore::inline SOFTSCORE_ABI
