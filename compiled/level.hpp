#pragma once

// The table of one instruction set, filled with the operations of the tbb backend. It is compiled once for each
// instruction set (CMakeLists.txt).
#include <bit>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include <softscore/backend/tbb.hpp>
#include <softscore/compiled/known_bodies.hpp>
#include <softscore/compiled/table.hpp>

extern "C" const softscore::compiled::kernels SOFTSCORE_LEVEL_SYMBOL;

namespace softscore::inline SOFTSCORE_ABI::kernel_level {

namespace border = softscore::compiled;

inline tbb_backend& backend_at(void* backend) { return *static_cast<tbb_backend*>(backend); }

template <class Object>
border::owned owned_of(Object&& made) {
  using type = std::remove_cvref_t<Object>;
  return {new type(std::forward<Object>(made)), [](void* object) { delete static_cast<type*>(object); },
          &SOFTSCORE_LEVEL_SYMBOL};
}

// What a handle of each kind points to.
template <class Kind, class T>
struct object_of;
template <class T>
struct object_of<border::scratch_kind, T> {
  using type = scratch_of<tbb_backend, T>;
};
template <class T>
struct object_of<border::conv2d_kind, T> {
  using type = conv2d_plan_of<tbb_backend, T>;
};
template <class T>
struct object_of<border::layer_norm_gelu_kind, T> {
  using type = layer_norm_gelu_plan_of<tbb_backend, T>;
};
template <class T>
struct object_of<border::group_norm_kind, T> {
  using type = group_norm_plan_of<tbb_backend, T>;
};
template <class T>
struct object_of<border::layer_norm_kind, T> {
  using type = layer_norm_plan_of<tbb_backend, T>;
};
template <class T>
struct object_of<border::attention_kind, T> {
  using type = attention_plan_of<tbb_backend, T>;
};

template <class Kind, class T>
typename object_of<Kind, T>::type& behind(border::handle<Kind, T> h) {
  require(h.of == &SOFTSCORE_LEVEL_SYMBOL, "the plan of an operation", h.of == nullptr ? "empty" : h.of->name,
          "made for the kernels of " SOFTSCORE_LEVEL);
  return *static_cast<typename object_of<Kind, T>::type*>(h.plan);
}
template <class Argument>
const Argument& behind(const Argument& argument) {
  return argument;
}

// The function that a member of the table points to.
#define SOFTSCORE_LEVEL_FUNCTION(name, function, ...)                                                                \
  template <class Pointer>                                                                                           \
  struct name##_here;                                                                                                \
  template <class... Arguments>                                                                                      \
  struct name##_here<void (*)(void*, Arguments...)> {                                                                \
    static void call(void* backend, Arguments... arguments) { function(backend_at(backend), behind(arguments)...); } \
  };
SOFTSCORE_COMPILED_OPERATIONS(SOFTSCORE_LEVEL_FUNCTION)
#undef SOFTSCORE_LEVEL_FUNCTION

template <class E>
view<E, host_space> view_at(const border::any_view& v) {
  return {static_cast<E*>(const_cast<void*>(v.data)), v.extent};
}

template <class Body>
Body body_at(const void* bytes) {
  struct same_size {
    std::byte bytes[sizeof(Body)];
  } copy;
  std::memcpy(copy.bytes, bytes, sizeof(Body));
  return std::bit_cast<Body>(copy);
}

struct run_elements {
  template <class Body, class... Views>
  static void run(tbb_backend& be, const Body& body, Views... views) {
    be.for_each(body, views...);
  }
};
struct run_planes {
  template <class Body, class Out, class... In>
  static void run(tbb_backend& be, const Body& body, Out out, In... in) {
    map_planes(be, body, in..., out);
  }
};
struct run_channels {
  template <class Body, class Out, class In>
  static void run(tbb_backend& be, const Body& body, Out y, In x, In v) {
    map_channels(be, body, x, v, y);
  }
};

// The loops over a list of known bodies, in its order.
template <class Run, class List>
struct loops;
template <class Run, class... Known>
struct loops<Run, std::tuple<Known...>> {
  template <class Body, class... E, std::size_t... I>
  static void run(const void* body, void* backend, const border::any_view* arrays, std::index_sequence<I...>) {
    Run::run(backend_at(backend), body_at<Body>(body), view_at<E>(arrays[I])...);
  }
  template <class Body, class... E>
  static constexpr border::known_loop loop_of(detail::known_body<Body, E...>*) {
    return [](void* backend, const void* body, const border::any_view* arrays) {
      run<Body, E...>(body, backend, arrays, std::index_sequence_for<E...>{});
    };
  }
  static constexpr border::known_loop all[] = {loop_of(static_cast<Known*>(nullptr))...};
};

template <class T>
term_of<tbb_backend, T> term_at(const border::summand<T>& s) {
  return {s.coefficient, s.array};
}

template <class T>
void combine(void* backend, view<T, host_space> out, const border::summand<T>* s, std::size_t count) {
  tbb_backend& be = backend_at(backend);
  switch (count) {
    case 1:
      return be.combine(out, term_at(s[0]));
    case 2:
      return be.combine(out, term_at(s[0]), term_at(s[1]));
    case 3:
      return be.combine(out, term_at(s[0]), term_at(s[1]), term_at(s[2]));
    default:
      return be.combine(out, term_at(s[0]), term_at(s[1]), term_at(s[2]), term_at(s[3]));
  }
}

inline void combine_with_normal(void* backend, const noise_key& key, image_range images, double factor,
                                view<float, host_space> out, const border::summand<float>* s, std::size_t count) {
  tbb_backend& be = backend_at(backend);
  switch (count) {
    case 1:
      return be.combine_with_normal(key, images, factor, out, term_at(s[0]));
    case 2:
      return be.combine_with_normal(key, images, factor, out, term_at(s[0]), term_at(s[1]));
    default:
      return be.combine_with_normal(key, images, factor, out, term_at(s[0]), term_at(s[1]), term_at(s[2]));
  }
}

template <class T>
constexpr border::operations<T> make_operations() {
  using table = border::operations<T>;
  using shared = typename table::scratch;
  table here{};
#define SOFTSCORE_LEVEL_MEMBER(name, function, ...) here.name = name##_here<decltype(here.name)>::call;
  SOFTSCORE_COMPILED_OPERATIONS(SOFTSCORE_LEVEL_MEMBER)
#undef SOFTSCORE_LEVEL_MEMBER

  here.lanes = std::is_same_v<T, float> ? detail::native_lanes : 1;
  here.make_scratch = [](void* be) { return owned_of(make_scratch<T>(backend_at(be))); };
  here.make_conv2d = [](void* be, const conv2d_shape& sizes, shared scratch) {
    return owned_of(scratch.plan != nullptr ? make_conv2d<T>(backend_at(be), sizes, behind(scratch))
                                            : make_conv2d<T>(backend_at(be), sizes));
  };
  here.describe_conv2d = [](typename table::conv2d plan) { return behind(plan).describe().data(); };
  here.make_layer_norm_gelu = [](void* be, const shape& sizes) {
    return owned_of(make_layer_norm_gelu<T>(backend_at(be), sizes));
  };
  here.make_group_norm = [](void* be, const group_norm_shape& sizes) {
    return owned_of(make_group_norm<T>(backend_at(be), sizes));
  };
  here.make_layer_norm = [](void* be, const shape& sizes, double epsilon) {
    return owned_of(make_layer_norm<T>(backend_at(be), sizes, epsilon));
  };
  here.make_attention = [](void* be, const attention_shape& sizes, shared scratch) {
    return owned_of(scratch.plan != nullptr ? make_attention<T>(backend_at(be), sizes, behind(scratch))
                                            : make_attention<T>(backend_at(be), sizes));
  };

  here.normal = [](void* be, const noise_key& key, image_range images, view<T, host_space> out) {
    backend_at(be).normal(key, images, out);
  };
  here.combine = combine<T>;
  if constexpr (std::is_same_v<T, float>) here.combine_with_normal = combine_with_normal;
  here.correlate_separably = [](void* be, view<const double, host_space> kernels, view<const T, host_space> in,
                                view<T, host_space> out) { backend_at(be).correlate_separably(kernels, in, out); };
  here.dot = [](void* be, view<const T, host_space> a, view<const T, host_space> b, double* host) {
    backend_at(be).dot(a, b, host);
  };
  here.over_elements = loops<run_elements, detail::known_element_bodies<T>>::all;
  here.over_planes = loops<run_planes, detail::known_plane_bodies<T>>::all;
  here.over_channels = loops<run_channels, detail::known_channel_bodies<T>>::all;
  return here;
}

// Defined in separate files, because they take long to compile.
extern const border::operations<float> operations_of_float;
extern const border::operations<double> operations_of_double;

}  // namespace softscore::inline SOFTSCORE_ABI::kernel_level
