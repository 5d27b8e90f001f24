#pragma once

#include <cstddef>
#include <cstdint>

#include <softscore/backend/activation.hpp>
#include <softscore/backend/attention_shape.hpp>
#include <softscore/backend/conv2d_shape.hpp>
#include <softscore/backend/group_norm_shape.hpp>
#include <softscore/backend/joined_view.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/noise.hpp>
#include <softscore/core/per_image.hpp>
#include <softscore/core/shape.hpp>
#include <softscore/core/view.hpp>

// The interface between a program and the kernels of the library softscore::compiled: pointers to functions whose
// arguments have types that files share for any flags.

// Operations of networks: a name, the function, and the arguments after the backend, as `operations` below calls them.
// Add a new operation as a line here.
#define SOFTSCORE_COMPILED_OPERATIONS(OPERATION)                                                                     \
  OPERATION(pack, pack, in, out)                                                                                     \
  OPERATION(unpack, unpack, in, out)                                                                                 \
  OPERATION(conv2d_prepare, conv2d_prepare, conv2d, in)                                                              \
  OPERATION(conv2d_forward, conv2d_forward, conv2d, in_parts, in, in, out)                                           \
  OPERATION(conv2d_forward_added, conv2d_forward, conv2d, in_parts, in, in, out, in)                                 \
  OPERATION(conv2d_backward, conv2d_backward, conv2d, in_parts, in, in, out, out, out)                               \
  OPERATION(layer_norm_gelu_prepare, layer_norm_gelu_prepare, layer_norm_gelu, in, in)                               \
  OPERATION(layer_norm_gelu_forward, layer_norm_gelu_forward, layer_norm_gelu, in, in, in, in, out)                  \
  OPERATION(layer_norm_gelu_backward, layer_norm_gelu_backward, layer_norm_gelu, in, in, in, in, out, out, out, out) \
  OPERATION(group_norm_forward, group_norm_forward, group_norm, in_parts, in, in, in, in, out)                       \
  OPERATION(group_norm_backward, group_norm_backward, group_norm, in_parts, in, in, in, in, in, out, out, out, out,  \
            out)                                                                                                     \
  OPERATION(group_norm_backward_added, group_norm_backward, group_norm, in_parts, in, in, in, in, in, out, out, out, \
            out, out, in, in_parts, out_parts)                                                                       \
  OPERATION(layer_norm_forward, layer_norm_forward, layer_norm, in, in, in, out)                                     \
  OPERATION(layer_norm_backward, layer_norm_backward, layer_norm, in, in, in, in, out, out, out)                     \
  OPERATION(attention_forward, attention_forward, attention, in, out)                                                \
  OPERATION(attention_backward, attention_backward, attention, in, in, in, out)                                      \
  OPERATION(linear_forward, linear_forward, in, in, in, out)                                                         \
  OPERATION(linear_backward, linear_backward, in, in, in, out, out, out)                                             \
  OPERATION(gelu_forward, gelu_forward, in, out)                                                                     \
  OPERATION(gelu_backward, gelu_backward, in, in, out)                                                               \
  OPERATION(activate_forward, activate_forward, activation, in, out)                                                 \
  OPERATION(activate_backward, activate_backward, activation, in, in, out)                                           \
  OPERATION(dot_pixels, dot_pixels, in, in, out)                                                                     \
  OPERATION(sum_pixels, sum_pixels, in, out)                                                                         \
  OPERATION(concatenate, concatenate, in, in, out)                                                                   \
  OPERATION(separate, separate, in, out, out)                                                                        \
  OPERATION(dropout, dropout, const noise_key&, image_range, double, bool, in, out)                                  \
  OPERATION(gather_rows, gather_rows, in, in, out)                                                                   \
  OPERATION(scatter_rows, scatter_rows, in, in, out)

namespace softscore {  // shared
namespace compiled {

struct kernels;

/// What the kernels keep between calls of an operation of kind `Kind`: the address of an object, and its owner.
template <class Kind, class T>
struct handle {
  void* plan{};
  const kernels* of{};
};

struct scratch_kind;
struct conv2d_kind;
struct layer_norm_gelu_kind;
struct group_norm_kind;
struct layer_norm_kind;
struct attention_kind;

/// A new object made by the kernels, and the function that destroys it.
struct owned {
  void* object;
  void (*destroy)(void*);
  const kernels* of;
};

/// One term of a sum of arrays.
template <class T>
struct summand {
  per_image<double> coefficient;
  view<const T, host_space> array;
};

/// An array of any type of number.
struct any_view {
  const void* data;
  shape extent;
};

/// A loop whose body the kernels know. Its arguments are the backend, the body and its arrays.
using known_loop = void (*)(void* backend, const void* body, const any_view* arrays);

/// The operations of one instruction set on arrays of T. The first argument of each is the backend.
template <class T>
struct operations {
  using in = view<const T, host_space>;
  using out = view<T, host_space>;
  using in_parts = joined_view<const T, host_space>;
  using out_parts = joined_view<T, host_space>;
  using scratch = handle<scratch_kind, T>;
  using conv2d = handle<conv2d_kind, T>;
  using layer_norm_gelu = handle<layer_norm_gelu_kind, T>;
  using group_norm = handle<group_norm_kind, T>;
  using layer_norm = handle<layer_norm_kind, T>;
  using attention = handle<attention_kind, T>;

#define SOFTSCORE_COMPILED_MEMBER(name, function, ...) void (*name)(void*, __VA_ARGS__);
  SOFTSCORE_COMPILED_OPERATIONS(SOFTSCORE_COMPILED_MEMBER)
#undef SOFTSCORE_COMPILED_MEMBER

  std::size_t lanes;  // contiguous channels in an activation, if they divide its channels

  owned (*make_scratch)(void*);
  owned (*make_conv2d)(void*, const conv2d_shape&, scratch);
  const char* (*describe_conv2d)(conv2d);
  owned (*make_layer_norm_gelu)(void*, const shape&);
  owned (*make_group_norm)(void*, const group_norm_shape&);
  owned (*make_layer_norm)(void*, const shape&, double epsilon);
  owned (*make_attention)(void*, const attention_shape&, scratch);

  void (*normal)(void*, const noise_key&, image_range, out);
  void (*combine)(void*, out, const summand<T>*, std::size_t count);
  void (*combine_with_normal)(void*, const noise_key&, image_range, double factor, out, const summand<T>*,
                              std::size_t count);
  void (*correlate_separably)(void*, view<const double, host_space> kernels, in, out);
  void (*dot)(void*, in, in, double*);

  const known_loop* over_elements;  // in the order of known_element_bodies
  const known_loop* over_planes;    // known_plane_bodies
  const known_loop* over_channels;  // known_channel_bodies
};

/// A number that changes if the list of operations does, so that a program does not call kernels of other headers.
SOFTSCORE_SHARED constexpr std::uint64_t hash_of(const char* text, std::uint64_t hash = 14695981039346656037u) {
  for (; *text != '\0'; ++text) hash = (hash ^ static_cast<unsigned char>(*text)) * 1099511628211u;
  return hash;
}
#define SOFTSCORE_COMPILED_TEXT(name, function, ...) #name ":" #__VA_ARGS__ ";"
inline constexpr std::uint64_t hash_of_operations = hash_of(SOFTSCORE_COMPILED_OPERATIONS(SOFTSCORE_COMPILED_TEXT));
#undef SOFTSCORE_COMPILED_TEXT

/// All kernels of one instruction set.
struct kernels {
  std::uint64_t signature;  // of the headers that they were compiled with
  const char* name;         // of the instruction set
  owned (*make_backend)(std::size_t threads);
  std::size_t (*threads)(void* backend);
  void (*parallel)(void* backend, std::size_t count, void (*task)(const void* body, std::size_t i), const void* body);
  bool (*threads_began)();     // whether these kernels have run a loop on threads
  void (*threads_are_lost)();  // tells them that this process is the child of a fork
  const operations<float>* of_float;
  const operations<double>* of_double;
};

/// The instruction sets for which there are kernels.
enum class instruction_set { x86_64_v2, x86_64_v3, x86_64_v4 };

/// Returns the kernels that new backends use: those of the best instruction set of this processor, or of the one that
/// the environment variable SOFTSCORE_INSTRUCTIONS names ("x86-64-v2", "x86-64-v3", "x86-64-v4"). Throws `error` if
/// that is not one of these, or if the processor lacks it.
const kernels& chosen_kernels();

/// Returns those of one instruction set; throws `error` if the processor lacks it.
const kernels& kernels_of(instruction_set which);

}  // namespace compiled
}  // namespace softscore
