#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>

#include <softscore/backend/attention_shape.hpp>
#include <softscore/backend/tbb/attention_kernels.hpp>
#include <softscore/backend/tbb/attention_layout.hpp>
#include <softscore/backend/tbb/backend.hpp>
#include <softscore/backend/tbb/layout.hpp>
#include <softscore/backend/tbb/scratch.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/host_array.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// Attention in float. Queries, keys and values of a head are copied from the activation into rows of tokens; this costs
// one load and one store per number, while the products cost hundreds.
template <std::size_t W>
class blocked_attention {
  using kernels = attention_kernels<W>;
  using layout = attention_layout<W>;
  static constexpr std::size_t lanes = kernels::lanes;
  // Keys per task of the backward pass. With more keys a head has several tasks, whose shares of dq are added in the
  // order of the keys.
  static constexpr std::size_t keys_of_task = 256;
  static_assert(keys_of_task % lanes == 0);

 public:
  blocked_attention(tbb_backend& be, const attention_shape& sizes, const tbb_scratch<float>& scratch)
      : sizes_{sizes},
        of_head_{sizes.tokens(), sizes.head_width},
        parts_{be.threads()},
        scale_{1 / std::sqrt(static_cast<double>(sizes.head_width))},
        input_block_{channel_block<float>(be, 3 * sizes.channels())},
        output_block_{channel_block<float>(be, sizes.channels())},
        numbers_{be.make<float>({sizes.images * sizes.heads, 2, 1, stride()})},
        scratch_{scratch} {
    const std::size_t pairs = sizes.images * sizes.heads;
    at_once_ = chunks() == 1 ? pairs : (std::min)(pairs, (2 * parts_ + chunks() - 1) / chunks());
    const std::size_t slots = chunks() == 1 ? parts_ : at_once_ * chunks();
    scratch_.reserve((std::max)(parts_ * forward_part{*this, nullptr}.size,
                                parts_ * backward_part{*this, nullptr}.size + slots * matrix()));
  }

  // Tasks are tiles of queries; a part of them copies the keys and values of a head once.
  void forward(tbb_backend& be, std::size_t images, const float* qkv, float* y) {
    const std::size_t tiles = (sizes_.tokens() + lanes - 1) / lanes, count = images * sizes_.heads * tiles;
    const std::size_t parts = (std::min)(parts_, count);
    be.parallel(parts, [&](std::size_t part) {
      const forward_part room{*this, scratch_.data() + part * forward_part{*this, nullptr}.size};
      const std::size_t last = (part + 1) * count / parts;
      for (std::size_t task = part * count / parts; task < last;) {
        const std::size_t pair = task / tiles, end = (std::min)(last, (pair + 1) * tiles);
        layout::gather(input(qkv, pair, 1), sizes_.head_width, 0, sizes_.tokens(), 1, room.k, stride());
        layout::gather(input(qkv, pair, 2), sizes_.head_width, 0, sizes_.tokens(), 1, room.v, stride());
        for (; task < end; ++task) {
          const std::size_t first = (task - pair * tiles) * lanes, queries = (std::min)(lanes, sizes_.tokens() - first);
          layout::gather(input(qkv, pair, 0), sizes_.head_width, first, queries, query_factor(), room.q, lanes);
          of_head_.forward(room.q, room.k, room.v, room.scores, room.o, greatest(pair) + first, inverse(pair) + first);
          layout::scatter(room.o, lanes, 1, output(y, pair), sizes_.head_width, first, queries);
        }
      }
    });
  }

  // Tasks are runs of keys of a head.
  void backward(tbb_backend& be, std::size_t images, const float* qkv, const float* y, const float* dy, float* dqkv) {
    const std::size_t pairs = images * sizes_.heads, each = backward_part{*this, nullptr}.size;
    float* const slots = scratch_.data() + parts_ * each;
    for (std::size_t from = 0; from < pairs; from += at_once_) {
      const std::size_t count = (std::min)(at_once_, pairs - from) * chunks(), parts = (std::min)(parts_, count);
      be.parallel(parts, [&](std::size_t part) {
        const backward_part room{*this, scratch_.data() + part * each};
        const std::size_t last = (part + 1) * count / parts;
        for (std::size_t task = part * count / parts; task < last; ++task) {
          const std::size_t pair = from + task / chunks();
          float* const dq = slots + (chunks() == 1 ? part : task) * matrix();
          share_of_keys(pair, task % chunks() * keys_of_task, room, dq, qkv, y, dy, dqkv);
          if (chunks() == 1) scatter_queries(pair, 0, sizes_.head_width, dq, dqkv);
        }
      });
      if (chunks() > 1)
        be.parallel(count / chunks() * runs(), [&](std::size_t run) {
          const std::size_t pair = run / runs(), c = run % runs() * layout::V;
          const std::size_t numbers = (std::min)(layout::V, sizes_.head_width - c);
          float* const sum = slots + pair * chunks() * matrix() + c * stride();
          for (std::size_t chunk = 1; chunk < chunks(); ++chunk)
            for (std::size_t i = 0; i < numbers * stride(); ++i) sum[i] += sum[chunk * matrix() + i];
          scatter_queries(from + pair, c, numbers, sum, dqkv);
        });
    }
  }

 private:
  // The memory of a part, as consecutive arrays.
  struct forward_part {
    std::size_t size{};
    float *q, *k, *v, *scores, *o;
    forward_part(const blocked_attention& of, float* memory) {
      const std::size_t rows = of.of_head_.rows();
      const auto take = [&](std::size_t count) { return memory + std::exchange(size, size + count); };
      q = take(rows * lanes);
      k = take(of.matrix());
      v = take(of.matrix());
      scores = take(kernels::keys_at_once * lanes);
      o = take(rows * lanes);
    }
  };
  struct backward_part {
    std::size_t size{};
    float *q, *dy, *means, *k, *v, *dk, *dv;
    typename kernels::buffers products;
    backward_part(const blocked_attention& of, float* memory) {
      const std::size_t rows = of.of_head_.rows(), block = kernels::queries_at_once * lanes;
      const auto take = [&](std::size_t count) { return memory + std::exchange(size, size + count); };
      q = take(of.matrix());
      dy = take(of.matrix());
      means = take(of.stride());
      k = take(rows * of.key_stride());
      v = take(rows * of.key_stride());
      dk = take(rows * lanes);
      dv = take(rows * lanes);
      products = {take(block), take(block), take(block)};
    }
  };

  std::size_t stride() const { return kernels::stride_of(sizes_.tokens()); }
  std::size_t key_stride() const { return kernels::stride_of((std::min)(keys_of_task, sizes_.tokens())); }
  std::size_t matrix() const { return of_head_.rows() * stride(); }
  std::size_t chunks() const { return (sizes_.tokens() + keys_of_task - 1) / keys_of_task; }
  std::size_t runs() const { return (sizes_.head_width + layout::V - 1) / layout::V; }
  float query_factor() const { return static_cast<float>(1.44269504088896341 * scale_); }
  float* greatest(std::size_t pair) { return raw(numbers_.view()) + 2 * pair * stride(); }
  float* inverse(std::size_t pair) { return greatest(pair) + stride(); }
  // The channels of the queries (`which` = 0), keys or values of an image and a head, and of its output.
  template <class T>
  channels_of_image<T> input(T* qkv, std::size_t pair, std::size_t which) const {
    const std::size_t head = pair % sizes_.heads;
    return {qkv + pair / sizes_.heads * 3 * sizes_.channels() * sizes_.tokens(), sizes_.tokens(), input_block_,
            sizes_.channel(which, head, 0), sizes_.channel(0, 0, 1)};
  }
  template <class T>
  channels_of_image<T> output(T* y, std::size_t pair) const {
    return {y + pair / sizes_.heads * sizes_.channels() * sizes_.tokens(), sizes_.tokens(), output_block_,
            pair % sizes_.heads * sizes_.head_width, 1};
  }

  // Computes what the keys from `first` on contribute to the gradients: sets their dk and dv, and dq without its
  // factor.
  void share_of_keys(std::size_t pair, std::size_t first, const backward_part& room, float* dq, const float* qkv,
                     const float* y, const float* dy, float* dqkv) {
    const std::size_t tokens = sizes_.tokens(), width = sizes_.head_width;
    const std::size_t count = (std::min)(keys_of_task, tokens - first);
    layout::gather(input(qkv, pair, 0), width, 0, tokens, query_factor(), room.q, stride());
    layout::gather(input(qkv, pair, 1), width, first, count, 1, room.k, key_stride());
    layout::gather(input(qkv, pair, 2), width, first, count, 1, room.v, key_stride());
    // dy over the sums of the exponentials, and the sums of its products with y, which equal those of dy v^T with the
    // weights. y is stored temporarily in the place of dq.
    float* const of_y = dq;
    layout::gather(output(y, pair), width, 0, tokens, 1, of_y, stride());
    layout::gather(output(dy, pair), width, 0, tokens, 1, room.dy, stride());
    const float* const factor = inverse(pair);
    std::fill_n(room.means, stride(), 0.0f);
    for (std::size_t c = 0; c < width; ++c)
      for (std::size_t at = c * stride(), i = 0; i < tokens; ++i, ++at) {
        room.dy[at] *= factor[i];
        room.means[i] += room.dy[at] * of_y[at];
      }
    std::fill_n(dq, matrix(), 0.0f);
    const typename kernels::operands of{room.q, room.dy, greatest(pair), room.means, room.k, room.v, key_stride()};
    for (std::size_t key = 0; key < count; key += lanes) {
      const std::size_t keys = (std::min)(lanes, count - key);
      of_head_.backward(of, key, keys, room.products, dq, room.dk, room.dv);
      constexpr float log_2 = 0.693147181f;  // the queries contain its inverse
      layout::scatter(room.dk, lanes, log_2, input(dqkv, pair, 1), width, first + key, keys);
      layout::scatter(room.dv, lanes, 1, input(dqkv, pair, 2), width, first + key, keys);
    }
  }

  // Numbers from c on of the gradient with respect to queries.
  void scatter_queries(std::size_t pair, std::size_t c, std::size_t numbers, const float* dq, float* dqkv) const {
    auto out = input(dqkv, pair, 0);
    out.first += c * out.step;
    layout::scatter(dq, stride(), static_cast<float>(scale_), out, numbers, 0, sizes_.tokens());
  }

  attention_shape sizes_;
  kernels of_head_;
  std::size_t parts_;
  double scale_;
  std::size_t input_block_, output_block_;
  host_array<float> numbers_;  // of each image and head the greatest scores and 1 over the sums of the exponentials
  tbb_scratch<float> scratch_;
  std::size_t at_once_;  // pairs of an image and a head that the backward pass has slots for
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
