#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <softscore/backend/conv2d_shape.hpp>
#include <softscore/backend/pooling.hpp>
#include <softscore/core/config.hpp>
#include <softscore/nn/inception/conv_relu.hpp>
#include <softscore/nn/layer.hpp>
#include <softscore/nn/named.hpp>
#include <softscore/nn/parallel.hpp>
#include <softscore/nn/pooling.hpp>
#include <softscore/nn/recompute.hpp>
#include <softscore/nn/sequential.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {

// A pooling of a 3x3 window, chosen when the network is made, so that blocks that differ only in it have one type.
// Inside a block the mean includes only the pixels inside the image.
class inception_pool : public stateless_layer {
 public:
  enum class kind { halving, mean, greatest };

  explicit inception_pool(kind of) : kind_{of} {}

  shape place(placement&, const std::string&, const shape& in) { return output(in); }
  shape output(const shape& in) const { return pooled_or_unknown(window(), in); }

  template <class Be, class T>
  void forward(Be& be, const pass<Be, T>&, in_of<Be, T> x, out_of<Be, T> y, no_memory<Be, T>&) const {
    if (kind_ == kind::mean)
      pool_mean_forward<Be, T>(be, window(), x, y);
    else
      pool_max_forward<Be, T>(be, window(), x, y);
  }
  template <class Be, class T>
  void backward(Be& be, const pass<Be, T>&, in_of<Be, T> x, in_of<Be, T> dy, out_of<Be, T> dx,
                no_memory<Be, T>&) const {
    if (dx.empty()) return;
    if (kind_ == kind::mean)
      pool_mean_backward<Be, T>(be, window(), dy, dx);
    else
      pool_max_backward<Be, T>(be, window(), x, dy, dx);
  }

 private:
  pool_window window() const {
    if (kind_ == kind::halving) return {.kernel = 3, .stride = 2, .padding = 0};
    return {.kernel = 3, .stride = 1, .padding = 1, .count_padding = false};
  }
  kind kind_;
};

// One convolution in the notation of the tables below. Those with a stride of 2 have no border; others keep the size.
struct inception_step {
  const char* name;
  std::size_t width;
  kernel_size kernel{1};
  std::size_t stride{1};
  bool border{true};
};

template <class = when_called>
named<conv_relu> inception_conv(const inception_step& s) {
  const conv2d_padding padding = s.border && s.stride == 1 ? conv2d_padding::same() : conv2d_padding::all(0);
  return {s.name, conv_relu{s.width, {.kernel = s.kernel, .stride = s.stride, .padding = padding}}};
}

using inception_chain = sequential<std::vector<named<conv_relu>>>;
using inception_pool_chain = sequential<inception_pool, named<conv_relu>>;
using inception_stage = recompute<sequential<named<inception_chain>, inception_pool>>;
// Blocks that keep the size, blocks that halve it, and the last blocks, two of whose branches fork.
using inception_block = recompute<
    parallel<named<inception_chain>, named<inception_chain>, named<inception_chain>, named<inception_pool_chain>>>;
using inception_halving = recompute<parallel<named<inception_chain>, named<inception_chain>, inception_pool>>;
using inception_fork = sequential<named<inception_chain>, named<parallel<named<conv_relu>, named<conv_relu>>>>;
using inception_last = recompute<
    parallel<named<inception_chain>, named<inception_fork>, named<inception_fork>, named<inception_pool_chain>>>;

template <class = when_called>
named<inception_chain> chain_of(const std::vector<inception_step>& steps) {
  std::vector<named<conv_relu>> layers;
  for (const inception_step& s : steps) layers.push_back(inception_conv(s));
  return {"", inception_chain{std::move(layers)}};
}
template <class = when_called>
named<inception_pool_chain> pool_of(inception_pool::kind kind, std::size_t width) {
  return {"", inception_pool_chain{inception_pool{kind}, inception_conv({"branch_pool", width})}};
}
template <class = when_called>
named<inception_fork> fork_of(const std::vector<inception_step>& steps, const inception_step& a,
                              const inception_step& b) {
  return {"", inception_fork{chain_of(steps), named{"", parallel{inception_conv(a), inception_conv(b)}}}};
}

template <class = when_called>
inception_stage stage_of(const std::vector<inception_step>& steps) {
  return inception_stage{sequential{chain_of(steps), inception_pool{inception_pool::kind::halving}}};
}

// Mixed_5b to Mixed_5d (Szegedy et al. 2016, Figure 5).
template <class = when_called>
inception_block block_5(std::size_t pool_width) {
  return inception_block{
      parallel{chain_of({{"branch1x1", 64}}), chain_of({{"branch5x5_1", 48}, {"branch5x5_2", 64, 5}}),
               chain_of({{"branch3x3dbl_1", 64}, {"branch3x3dbl_2", 96, 3}, {"branch3x3dbl_3", 96, 3}}),
               pool_of(inception_pool::kind::mean, pool_width)}};
}
// Mixed_6a (Figure 10 there).
template <class = when_called>
inception_halving block_6a() {
  return inception_halving{
      parallel{chain_of({{"branch3x3", 384, 3, 2}}),
               chain_of({{"branch3x3dbl_1", 64}, {"branch3x3dbl_2", 96, 3}, {"branch3x3dbl_3", 96, 3, 2}}),
               inception_pool{inception_pool::kind::halving}}};
}
// Mixed_6b to Mixed_6e (Figure 6 there): a 7x7 convolution is one along a row and one along a column.
template <class = when_called>
inception_block block_6(std::size_t width) {
  const kernel_size row{1, 7}, column{7, 1};
  return inception_block{
      parallel{chain_of({{"branch1x1", 192}}),
               chain_of({{"branch7x7_1", width}, {"branch7x7_2", width, row}, {"branch7x7_3", 192, column}}),
               chain_of({{"branch7x7dbl_1", width},
                         {"branch7x7dbl_2", width, column},
                         {"branch7x7dbl_3", width, row},
                         {"branch7x7dbl_4", width, column},
                         {"branch7x7dbl_5", 192, row}}),
               pool_of(inception_pool::kind::mean, 192)}};
}
// Mixed_7a.
template <class = when_called>
inception_halving block_7a() {
  return inception_halving{parallel{chain_of({{"branch3x3_1", 192}, {"branch3x3_2", 320, 3, 2}}),
                                    chain_of({{"branch7x7x3_1", 192},
                                              {"branch7x7x3_2", 192, {1, 7}},
                                              {"branch7x7x3_3", 192, {7, 1}},
                                              {"branch7x7x3_4", 192, 3, 2}}),
                                    inception_pool{inception_pool::kind::halving}}};
}
// Mixed_7b and Mixed_7c (Figure 7 there).
template <class = when_called>
inception_last block_7(inception_pool::kind kind) {
  const kernel_size row{1, 3}, column{3, 1};
  return inception_last{
      parallel{chain_of({{"branch1x1", 320}}),
               fork_of({{"branch3x3_1", 384}}, {"branch3x3_2a", 384, row}, {"branch3x3_2b", 384, column}),
               fork_of({{"branch3x3dbl_1", 448}, {"branch3x3dbl_2", 384, 3}}, {"branch3x3dbl_3a", 384, row},
                       {"branch3x3dbl_3b", 384, column}),
               pool_of(kind, 192)}};
}

}  // namespace detail

}  // namespace softscore::inline SOFTSCORE_ABI
