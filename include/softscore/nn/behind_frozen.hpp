#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include <softscore/backend/archetype_operations.hpp>
#include <softscore/core/conditioning.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/nn/add_net.hpp>
#include <softscore/nn/ask_network.hpp>
#include <softscore/nn/concept.hpp>
#include <softscore/nn/parameters.hpp>
#include <softscore/nn/unet.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// A network after one whose parameters do not change: phi(x, t) = added(frozen(x, t), t), as Ng et al. n.d. put
/// `add_net` after a U-Net without labels. Its parameters are those of `added`, the only one that sees labels; `frozen`
/// sees x and the time. In evaluations, but not in training, images whose time on the networks' scale is above a limit
/// get frozen(x, t) unchanged.
template <class Frozen, class Added>
class behind_frozen {
 public:
  using time_type = typename Frozen::time_type;
  static_assert(std::is_same_v<time_type, typename Added::time_type>,
                "softscore: both networks take the time on the same scale");

  /// Throws `error` unless `added` accepts what `frozen` returns.
  template <class = when_called>
  behind_frozen(Frozen frozen, Added added) : frozen_{std::move(frozen)}, added_{std::move(added)} {
    static_cast<void>(output(image()));
  }

  const Frozen& frozen() const { return frozen_; }
  const Added& added() const { return added_; }
  Added& added() { return added_; }
  /// The largest time at which evaluations use `added`; on the scale of log-SNR, larger times are less noisy. By
  /// default there is no limit, and evaluations always use it.
  void set_limit(time_type most) { limit_ = most.value; }

  std::size_t parameter_count() const { return added_.parameter_count(); }
  const parameter_layout& layout() const { return added_.layout(); }
  std::span<const float> parameters() const { return added_.parameters(); }
  std::span<float> mutable_parameters() { return added_.mutable_parameters(); }
  void set_parameters(std::span<const float> values) { added_.set_parameters(values); }
  void initialize(std::uint64_t seed) { added_.initialize(seed); }
  bool initialized() const { return added_.initialized(); }
  std::uint64_t stamp() const { return added_.stamp(); }

  /// The shape of one image, of the size that `added` was made for.
  shape image() const { return {1, frozen_.image().channels, added_.image().height, added_.image().width}; }
  shape output(const shape& images) const { return added_.output(frozen_.output(images)); }
  std::size_t label_count() const { return added_.label_count(); }
  /// Throws `error` for what `added` does not accept.
  void check(const conditioning& given, const shape& images) const { added_.check(given, frozen_.output(images)); }
  void check_time(time_type t) const
    requires ChecksNetworkTime<Frozen>
  {
    frozen_.check_time(t);
  }

  template <class Be, class T>
  struct memory {
    network_workspace_of<Frozen, Be, T> frozen;
    network_workspace_of<Added, Be, T> added;
    array_of<Be, T> v, dv;     // the output of frozen, and its gradient
    std::vector<char> acting;  // of each image in the last evaluation, whether added was used
    std::size_t count{};       // how many images it was used for
  };
  template <class T, class Be>
  memory<Be, T> workspace(Be& be, const shape& most) const {
    const shape between = frozen_.output(most);
    return {frozen_.template workspace<T>(be, most), added_.template workspace<T>(be, between),
            be.template make<T>(between), be.template make<T>(between), std::vector<char>(most.images)};
  }

  template <class Be, class T>
  void evaluate(Be& be, const network_input<time_type>& asked, in_of<Be, T> x, out_of<Be, T> out,
                memory<Be, T>& ws) const {
    const std::size_t images = x.extent().images;
    const view_of<Be, T> v = ws.v.view().images(0, images);
    frozen_.evaluate(be, network_input<time_type>{asked.times}, x, v, ws.frozen);
    ws.count = 0;
    for (std::size_t n = 0; n < images; ++n) {
      ws.acting[n] = asked.times[n].value <= limit_;
      ws.count += ws.acting[n] ? 1u : 0u;
    }
    if (ws.count > 0) added_.evaluate(be, asked, view_of<Be, const T>{v}, out, ws.added);
    keep_others<Be, T>(be, v, out, ws);
  }
  template <class Be, class T>
  void forward(Be& be, in_of<Be, T> params, const network_input<time_type>& asked, in_of<Be, T> x, out_of<Be, T> out,
               memory<Be, T>& ws) const {
    const view_of<Be, T> v = ws.v.view().images(0, x.extent().images);
    frozen_.evaluate(be, network_input<time_type>{asked.times}, x, v, ws.frozen);
    ws.acting.assign(ws.acting.size(), true);
    ws.count = x.extent().images;
    added_.forward(be, params, asked, view_of<Be, const T>{v}, out, ws.added);
  }
  template <class Be, class T>
  void backward(Be& be, in_of<Be, T> params, in_of<Be, T> dout, out_of<Be, T> dx, out_of<Be, T> gradients,
                memory<Be, T>& ws) const {
    const view_of<Be, T> none{}, dv = dx.empty() ? none : ws.dv.view().images(0, dout.extent().images);
    added_.backward(be, params, dout, dv, gradients, ws.added);
    if (!dx.empty()) frozen_.pullback(be, view_of<Be, const T>{dv}, dx, ws.frozen);
  }
  template <class Be, class T>
  void pullback(Be& be, in_of<Be, T> d, out_of<Be, T> out, memory<Be, T>& ws) const {
    const view_of<Be, T> dv = ws.dv.view().images(0, d.extent().images);
    if (ws.count > 0) added_.pullback(be, d, dv, ws.added);
    keep_others<Be, T>(be, d, dv, ws);
    frozen_.pullback(be, view_of<Be, const T>{dv}, out, ws.frozen);
  }

 private:
  // Copies the images for which added was not used from `from` to `to`.
  template <class Be, class T>
  static void keep_others(Be& be, view_of<Be, const T> from, view_of<Be, T> to, const memory<Be, T>& ws) {
    const std::size_t images = to.extent().images;
    if (ws.count == 0) be.combine(to, term_of<Be, T>{1.0, from});
    if (ws.count == 0 || ws.count == images) return;
    for (std::size_t n = 0; n < images; ++n)
      if (!ws.acting[n]) be.combine(to.images(n, 1), term_of<Be, T>{1.0, from.images(n, 1)});
  }

  Frozen frozen_;
  Added added_;
  double limit_ = std::numeric_limits<double>::infinity();
};
static_assert(Network<behind_frozen<unet<log_snr>, add_net<log_snr>>, archetype_backend, float, log_snr>);
static_assert(TakesConditioning<behind_frozen<unet<log_snr>, add_net<log_snr>>, archetype_backend, double, log_snr>);

}  // namespace softscore::inline SOFTSCORE_ABI
