#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include <softscore/backend/archetype_operations.hpp>
#include <softscore/core/config.hpp>
#include <softscore/nn/classifier.hpp>
#include <softscore/nn/concept.hpp>
#include <softscore/nn/dense.hpp>
#include <softscore/nn/inception/blocks.hpp>
#include <softscore/nn/inception/input.hpp>
#include <softscore/nn/layered_network.hpp>
#include <softscore/nn/named.hpp>
#include <softscore/nn/no_embedding.hpp>
#include <softscore/nn/pooling.hpp>
#include <softscore/nn/sequential.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

template <class L>
using inception_stack = named<sequential<std::vector<named<L>>>>;
template <class L>
inception_stack<L> stack_of(std::vector<named<L>> layers) {
  return {"", sequential{std::move(layers)}};
}

using inception_trunk = sequential<inception_input, inception_stack<inception_stage>, inception_stack<inception_block>,
                                   named<inception_halving>, inception_stack<inception_block>, named<inception_halving>,
                                   inception_stack<inception_last>, global_mean_pool>;
using inception_body = sequential<named<inception_trunk>, named<dense>>;

template <class = when_called>
inception_body inception_layers() {
  using stage = named<inception_stage>;
  using block = named<inception_block>;
  using last = named<inception_last>;
  return inception_body{
      named{"", inception_trunk{inception_input{},
                                stack_of(std::vector{
                                    stage{"", stage_of({{"Conv2d_1a_3x3", 32, 3, 2},
                                                        {"Conv2d_2a_3x3", 32, 3, 1, false},
                                                        {"Conv2d_2b_3x3", 64, 3}})},
                                    stage{"", stage_of({{"Conv2d_3b_1x1", 80}, {"Conv2d_4a_3x3", 192, 3, 1, false}})}}),
                                stack_of(std::vector{block{"Mixed_5b", block_5(32)}, block{"Mixed_5c", block_5(64)},
                                                     block{"Mixed_5d", block_5(64)}}),
                                named{"Mixed_6a", block_6a()},
                                stack_of(std::vector{block{"Mixed_6b", block_6(128)}, block{"Mixed_6c", block_6(160)},
                                                     block{"Mixed_6d", block_6(160)}, block{"Mixed_6e", block_6(192)}}),
                                named{"Mixed_7a", block_7a()},
                                stack_of(std::vector{last{"Mixed_7b", block_7(inception_pool::kind::mean)},
                                                     last{"Mixed_7c", block_7(inception_pool::kind::greatest)}}),
                                global_mean_pool{}}},
      named{"fc", dense{1008}}};
}

}  // namespace detail

/// Inception-v3 (Szegedy et al. 2016) as in TensorFlow at the end of 2015, the network of the FID (Heusel et al. 2017)
/// and of pytorch-fid: means over windows exclude the border, and the last block uses the maximum instead. It takes
/// images with pixels in [0, 1] and one or three channels, which it resizes (`inception_input`). Its output is a score
/// for each of 1008 classes, (N,1008,1,1), and its `features` are the 2048 means of the last block. Batch norms are
/// folded into the convolutions by `read_inception_v3`.
///
/// An image takes about 54 MB in float while it is evaluated, so plan for batches of 8 to 32 images.
class inception_v3 : public layered_network<detail::inception_body, no_embedding> {
  using network = layered_network<detail::inception_body, no_embedding>;

 public:
  /// `image` is the shape of the images it receives; their number does not matter. Throws `error` unless there are one
  /// or three channels.
  template <class = when_called>
  explicit inception_v3(const shape& image = {1, 3, inception_input::side, inception_input::side})
      : network{detail::inception_layers(), no_embedding{}, image, "", ""} {}

  std::size_t class_count() const { return 1008; }
  std::size_t feature_count() const { return 2048; }

  /// Returns the features (N,2048,1,1) of the images that were evaluated last with this workspace.
  template <class Be, class T>
  view_of<Be, const T> features(const network::memory<Be, T>& ws) const {
    return network::body_memory(ws).between[0].view(network::images_of(ws));
  }
};
static_assert(Network<inception_v3, archetype_backend, float> && GivesFeatures<inception_v3, archetype_backend, float>);

}  // namespace softscore::inline SOFTSCORE_ABI
