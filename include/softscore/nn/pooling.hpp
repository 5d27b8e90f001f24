#pragma once

#include <string>

#include <softscore/backend/archetype_operations.hpp>
#include <softscore/backend/channels.hpp>
#include <softscore/backend/operations.hpp>
#include <softscore/backend/pooling.hpp>
#include <softscore/core/config.hpp>
#include <softscore/nn/layer.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {
inline shape pooled_or_unknown(const pool_window& window, const shape& in) {
  return in.plane() == 0 ? shape{1, in.channels, 0, 0} : pooled(window, in.with_images(1));
}
}  // namespace detail

/// x (N,C,H,W) -> the maximum of every window, as PyTorch's MaxPool2d.
class max_pool : public stateless_layer {
 public:
  explicit max_pool(const pool_window& window = {}) : window_{window} {}

  shape place(placement&, const std::string&, const shape& in) { return output(in); }
  shape output(const shape& in) const { return detail::pooled_or_unknown(window_, in); }

  template <class Be, class T>
  void forward(Be& be, const pass<Be, T>&, in_of<Be, T> x, out_of<Be, T> y, no_memory<Be, T>&) const {
    pool_max_forward<Be, T>(be, window_, x, y);
  }
  template <class Be, class T>
  void backward(Be& be, const pass<Be, T>&, in_of<Be, T> x, in_of<Be, T> dy, out_of<Be, T> dx,
                no_memory<Be, T>&) const {
    if (!dx.empty()) pool_max_backward<Be, T>(be, window_, x, dy, dx);
  }

 private:
  pool_window window_;
};

/// x (N,C,H,W) -> the mean of every window, as PyTorch's AvgPool2d.
class mean_pool : public stateless_layer {
 public:
  explicit mean_pool(const pool_window& window = {}) : window_{window} {}

  shape place(placement&, const std::string&, const shape& in) { return output(in); }
  shape output(const shape& in) const { return detail::pooled_or_unknown(window_, in); }

  template <class Be, class T>
  void forward(Be& be, const pass<Be, T>&, in_of<Be, T> x, out_of<Be, T> y, no_memory<Be, T>&) const {
    pool_mean_forward<Be, T>(be, window_, x, y);
  }
  template <class Be, class T>
  void backward(Be& be, const pass<Be, T>&, in_of<Be, T>, in_of<Be, T> dy, out_of<Be, T> dx, no_memory<Be, T>&) const {
    if (!dx.empty()) pool_mean_backward<Be, T>(be, window_, dy, dx);
  }

 private:
  pool_window window_;
};

/// x (N,C,H,W) -> (N,C,1,1): the mean of every channel of an image, for images of any size.
struct global_mean_pool : stateless_layer {
  shape place(placement&, const std::string&, const shape& in) { return output(in); }
  shape output(const shape& in) const { return {1, in.channels, 1, 1}; }

  template <class Be, class T>
  void forward(Be& be, const pass<Be, T>&, in_of<Be, T> x, out_of<Be, T> y, no_memory<Be, T>&) const {
    sum_pixels(be, x, y);
    be.combine(y, term{1 / static_cast<double>(x.extent().plane()), y});
  }
  template <class Be, class T>
  void backward(Be& be, const pass<Be, T>&, in_of<Be, T> x, in_of<Be, T> dy, out_of<Be, T> dx,
                no_memory<Be, T>&) const {
    if (dx.empty()) return;
    spread_channels<Be, T>(be, dy, dx);
    be.combine(dx, term{1 / static_cast<double>(x.extent().plane()), dx});
  }
};

static_assert(Layer<max_pool, archetype_backend, float> && Layer<max_pool, archetype_backend, double>);
static_assert(Layer<mean_pool, archetype_backend, float> && Layer<mean_pool, archetype_backend, double>);
static_assert(Layer<global_mean_pool, archetype_backend, float> && Layer<global_mean_pool, archetype_backend, double>);

}  // namespace softscore::inline SOFTSCORE_ABI
