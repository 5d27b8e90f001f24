#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include <softscore/backend/archetype.hpp>
#include <softscore/backend/serial.hpp>

namespace softscore {

/// A stand-in for a device: its arrays lie in a space of their own, and its views hold addresses that no processor here
/// maps, so code that touches an element on the host does not compile, and code that gets around that crashes. Every
/// verb and operation is the serial backend's, behind the door.
class opaque_backend {
 public:
  struct space {
    static constexpr bool host = false;
  };

  template <class T>
  class array {
   public:
    array() = default;
    explicit array(host_array<T> memory) : memory_{std::move(memory)} {}
    softscore::view<T, space> view() { return hide(memory_.view()); }
    softscore::view<const T, space> view() const { return hide(memory_.view()); }
    const shape& extent() const { return memory_.extent(); }

   private:
    host_array<T> memory_;
  };

  template <Scalar T>
  array<T> make(shape extent) {
    return array<T>{serial_.make<T>(extent)};
  }
  template <Scalar T>
  void upload(const T* host, view<T, space> device) {
    serial_.upload(host, show(device));
  }
  template <class T>
  void download(view<T, space> device, std::remove_const_t<T>* host) {
    serial_.download(show(device), host);
  }
  template <Scalar T>
  void normal(noise_key key, image_range images, view<T, space> out) {
    serial_.normal(key, images, show(out));
  }
  template <Scalar T, class... Terms>
  void combine(view<T, space> out, const Terms&... terms) {
    serial_.combine(show(out), term<T, host_space>{terms.coefficient, show(terms.array)}...);
  }
  template <class Body, class... Views>
  void for_each(Body body, Views... views) {
    serial_.for_each(body, show(views)...);
  }
  template <class Body, Scalar T, class... Tables>
  void each_pixel(Body body, per_image<level> levels, const_view<T, space> in, view<T, space> out, Tables... tables) {
    serial_.each_pixel(body, levels, view<const T, host_space>(show(in)), show(out), show(tables)...);
  }
  view<const double, space> constant(const std::shared_ptr<const std::vector<double>>& table) const {
    return hide(serial_.constant(table));
  }
  template <class T>
  void dot(view<T, space> a, view<T, space> b, double* host) {
    serial_.dot(show(a), show(b), host);
  }
  template <class From, class To>
  void convert(view<From, space> from, view<To, space> to) {
    serial_.convert(show(from), show(to));
  }

  /// The serial backend that does the work, for the operations below.
  serial_backend& behind() { return serial_; }

  /// A view as the serial backend sees it. Only this file uses it.
  template <class T>
  static softscore::view<T, host_space> show(softscore::view<T, space> v) {
    return {moved(raw(v), -distance), v.extent()};
  }
  template <class T>
  static joined_view<T, host_space> show(const joined_view<T, space>& v) {
    return {show(v.first), show(v.second)};
  }

 private:
  template <class T>
  static view<T, space> hide(view<T, host_space> v) {
    return {moved(raw(v), distance), v.extent()};
  }

  // 2^62 bytes on: outside of what x86-64 and AArch64 can map. An empty view stays empty.
  static constexpr std::intptr_t distance = std::intptr_t{1} << 62;
  template <class T>
  static T* moved(T* address, std::intptr_t by) {
    if (address == nullptr) return nullptr;
    return reinterpret_cast<T*>(reinterpret_cast<std::intptr_t>(address) + by);
  }

  serial_backend serial_;
};

static_assert(Backend<opaque_backend, float> && Backend<opaque_backend, double> && !HostBackend<opaque_backend>);

// The operations of networks, behind the door as well.

template <Scalar T>
auto make_scratch(opaque_backend& be) {
  return make_scratch<T>(be.behind());
}
template <Scalar T>
std::size_t channel_block(const opaque_backend&, std::size_t channels) {
  return channel_block<T>(serial_backend{}, channels);
}
template <Scalar T, class Scratch>
auto make_conv2d(opaque_backend& be, const conv2d_shape& sizes, const Scratch& scratch) {
  return make_conv2d<T>(be.behind(), sizes, scratch);
}
template <Scalar T>
auto make_layer_norm_gelu(opaque_backend& be, const shape& sizes) {
  return make_layer_norm_gelu<T>(be.behind(), sizes);
}
template <Scalar T, class... Scratch>
auto make_attention(opaque_backend& be, const attention_shape& sizes, const Scratch&... scratch) {
  return make_attention<T>(be.behind(), sizes, scratch...);
}
template <Scalar T>
auto make_group_norm(opaque_backend& be, const group_norm_shape& sizes) {
  return make_group_norm<T>(be.behind(), sizes);
}
template <Scalar T>
auto make_layer_norm(opaque_backend& be, const shape& sizes, double epsilon) {
  return make_layer_norm<T>(be.behind(), sizes, epsilon);
}

template <class... Views>
void activate_forward(opaque_backend& be, activation f, Views... views) {
  activate_forward(be.behind(), f, opaque_backend::show(views)...);
}
template <class... Views>
void activate_backward(opaque_backend& be, activation f, Views... views) {
  activate_backward(be.behind(), f, opaque_backend::show(views)...);
}
template <class Body, class... Views>
void map_planes(opaque_backend& be, const Body& body, Views... views) {
  map_planes(be.behind(), body, opaque_backend::show(views)...);
}
template <class Body, class... Views>
void map_channels(opaque_backend& be, const Body& body, Views... views) {
  map_channels(be.behind(), body, opaque_backend::show(views)...);
}
template <class... Views>
void dropout(opaque_backend& be, const noise_key& key, image_range images, double probability, bool of_channels,
             Views... views) {
  dropout(be.behind(), key, images, probability, of_channels, opaque_backend::show(views)...);
}

#define SOFTSCORE_BEHIND(operation)                         \
  template <class... Views>                                 \
  void operation(opaque_backend& be, Views... views) {      \
    operation(be.behind(), opaque_backend::show(views)...); \
  }
#define SOFTSCORE_BEHIND_WITH_PLAN(operation)                      \
  template <class Plan, class... Views>                            \
  void operation(opaque_backend& be, Plan& plan, Views... views) { \
    operation(be.behind(), plan, opaque_backend::show(views)...);  \
  }
SOFTSCORE_BEHIND(pack)
SOFTSCORE_BEHIND(unpack)
SOFTSCORE_BEHIND(linear_forward)
SOFTSCORE_BEHIND(linear_backward)
SOFTSCORE_BEHIND(gelu_forward)
SOFTSCORE_BEHIND(gelu_backward)
SOFTSCORE_BEHIND(dot_pixels)
SOFTSCORE_BEHIND(sum_pixels)
SOFTSCORE_BEHIND(concatenate)
SOFTSCORE_BEHIND(separate)
SOFTSCORE_BEHIND(gather_rows)
SOFTSCORE_BEHIND(scatter_rows)
SOFTSCORE_BEHIND_WITH_PLAN(conv2d_prepare)
SOFTSCORE_BEHIND_WITH_PLAN(conv2d_forward)
SOFTSCORE_BEHIND_WITH_PLAN(conv2d_backward)
SOFTSCORE_BEHIND_WITH_PLAN(layer_norm_gelu_prepare)
SOFTSCORE_BEHIND_WITH_PLAN(layer_norm_gelu_forward)
SOFTSCORE_BEHIND_WITH_PLAN(layer_norm_gelu_backward)
SOFTSCORE_BEHIND_WITH_PLAN(attention_forward)
SOFTSCORE_BEHIND_WITH_PLAN(attention_backward)
SOFTSCORE_BEHIND_WITH_PLAN(group_norm_forward)
SOFTSCORE_BEHIND_WITH_PLAN(group_norm_backward)
SOFTSCORE_BEHIND_WITH_PLAN(layer_norm_forward)
SOFTSCORE_BEHIND_WITH_PLAN(layer_norm_backward)
#undef SOFTSCORE_BEHIND
#undef SOFTSCORE_BEHIND_WITH_PLAN

static_assert(NetworkBackend<opaque_backend, float> && NetworkBackend<opaque_backend, double>);

}  // namespace softscore
