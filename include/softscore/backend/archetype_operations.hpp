#pragma once

#include <softscore/backend/archetype.hpp>
#include <softscore/backend/operations.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

// The operations of the archetype, as declarations only, so that networks can be checked against it too.
struct archetype_plan {};
template <Scalar T>
archetype_plan make_scratch(archetype_backend&);
template <Scalar T>
std::size_t channel_block(const archetype_backend&, std::size_t);
template <class T>
void pack(archetype_backend&, const_view<T, archetype_backend::space>, view<T, archetype_backend::space>);
template <class T>
void unpack(archetype_backend&, const_view<T, archetype_backend::space>, view<T, archetype_backend::space>);
template <Scalar T>
archetype_plan make_conv2d(archetype_backend&, const conv2d_shape&, archetype_plan);
template <class... Views>
void conv2d_prepare(archetype_backend&, archetype_plan&, Views...);
template <class... Views>
void conv2d_forward(archetype_backend&, archetype_plan&, Views...);
template <class... Views>
void conv2d_backward(archetype_backend&, archetype_plan&, Views...);
template <Scalar T>
archetype_plan make_layer_norm_gelu(archetype_backend&, const shape&);
template <class... Views>
void layer_norm_gelu_prepare(archetype_backend&, archetype_plan&, Views...);
template <class... Views>
void layer_norm_gelu_forward(archetype_backend&, archetype_plan&, Views...);
template <class... Views>
void layer_norm_gelu_backward(archetype_backend&, archetype_plan&, Views...);
template <Scalar T>
archetype_plan make_group_norm(archetype_backend&, const group_norm_shape&);
template <class... Views>
void group_norm_forward(archetype_backend&, archetype_plan&, Views...);
template <class... Views>
void group_norm_backward(archetype_backend&, archetype_plan&, Views...);
template <Scalar T>
archetype_plan make_layer_norm(archetype_backend&, const shape&, double epsilon);
template <class... Views>
void layer_norm_forward(archetype_backend&, archetype_plan&, Views...);
template <class... Views>
void layer_norm_backward(archetype_backend&, archetype_plan&, Views...);
template <class... Views>
void linear_forward(archetype_backend&, Views...);
template <class... Views>
void linear_backward(archetype_backend&, Views...);
template <class... Views>
void gelu_forward(archetype_backend&, Views...);
template <class... Views>
void gelu_backward(archetype_backend&, Views...);
template <class... Views>
void activate_forward(archetype_backend&, activation, Views...);
template <class... Views>
void activate_backward(archetype_backend&, activation, Views...);
template <class Body, class... Views>
void map_planes(archetype_backend&, const Body&, Views...);
template <class Body, class... Views>
void map_channels(archetype_backend&, const Body&, Views...);
template <class... Views>
void dot_pixels(archetype_backend&, Views...);
template <class... Views>
void sum_pixels(archetype_backend&, Views...);
template <class... Views>
void concatenate(archetype_backend&, Views...);
template <class... Views>
void separate(archetype_backend&, Views...);
template <class... Views>
void dropout(archetype_backend&, const noise_key&, image_range, double, bool, Views...);
template <class... Views>
void gather_rows(archetype_backend&, Views...);
template <class... Views>
void scatter_rows(archetype_backend&, Views...);
template <Scalar T>
archetype_plan make_attention(archetype_backend&, const attention_shape&, archetype_plan = {});
template <class... Views>
void attention_forward(archetype_backend&, archetype_plan&, Views...);
template <class... Views>
void attention_backward(archetype_backend&, archetype_plan&, Views...);

static_assert(NetworkBackend<archetype_backend, float> && NetworkBackend<archetype_backend, double>);

}  // namespace softscore::inline SOFTSCORE_ABI
