#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <softscore/backend/archetype_operations.hpp>
#include <softscore/backend/dropout.hpp>
#include <softscore/backend/operations.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/noise.hpp>
#include <softscore/nn/layer.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Dropout (Srivastava et al. 2014): y = x / (1 - probability) where a mask keeps the element, and 0 elsewhere; with
/// `of_channels` whole channels are dropped. It does nothing unless the network is being trained. Masks depend on the
/// seed, the step, the number of the image in the step's batch, the number of this layer among the network's dropout
/// layers, and the element. They are the same on every backend, for any split of a batch, and when activations are
/// recomputed.
class dropout_layer : public stateless_layer {
 public:
  static constexpr bool backward_in_place = true;

  /// Throws `error` unless 0 <= probability < 1.
  explicit dropout_layer(double probability, bool of_channels = false)
      : probability_{probability}, of_channels_{of_channels} {
    static_cast<void>(dropout_rule{probability});
  }

  /// Whether y = x in a pass.
  template <class Be, class T>
  bool passes_through(const pass<Be, T>& p) const {
    return !p.dropout || probability_ == 0;
  }

  shape place(placement& to, const std::string&, const shape& in) {
    if (probability_ > 0) number_ = to.next_dropout();
    return output(in);
  }
  shape output(const shape& in) const { return in.with_images(1); }

  template <class Be, class T>
  void forward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, out_of<Be, T> y, no_memory<Be, T>&) const {
    if (passes_through(p)) {
      be.combine(y, term_of<Be, T>{1.0, x});
      return;
    }
    const noise_key key{p.dropout->seed, noise_stream::dropout, p.dropout->step, number_};
    dropout(be, key, image_range{p.dropout->first_image, p.images}, probability_, of_channels_, x, y);
  }
  template <class Be, class T>
  void backward(Be& be, const pass<Be, T>& p, in_of<Be, T>, in_of<Be, T> dy, out_of<Be, T> dx,
                no_memory<Be, T>& m) const {
    if (!dx.empty()) forward(be, p, dy, dx, m);  // the mask is symmetric
  }

 private:
  double probability_;
  bool of_channels_;
  std::uint8_t number_{};
};
static_assert(Layer<dropout_layer, archetype_backend, float> && Layer<dropout_layer, archetype_backend, double>);

}  // namespace softscore::inline SOFTSCORE_ABI
