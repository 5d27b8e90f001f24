#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>

#include <softscore/backend/attention_shape.hpp>
#include <softscore/backend/tbb/attention_kernels.hpp>
#include <softscore/backend/tbb/backend.hpp>
#include <softscore/backend/tbb/layout.hpp>
#include <softscore/backend/tbb/scratch.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/host_array.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// One image of an activation in blocks of channels.
template <class T>
struct blocked_image {
  T* data;
  std::size_t tokens, block;

  T* plane(std::size_t channel) const { return data + channel / block * block * tokens + channel % block; }
};

// Attention in float. Queries, keys and values of a head are copied from the activation into rows of tokens, which
// costs one load and one store a number where the products cost hundreds.
template <std::size_t W>
class blocked_attention {
  using kernels = attention_kernels<W>;
  static constexpr std::size_t lanes = kernels::lanes;
  // Keys that one task of the backward pass takes. More make several tasks of a head, whose shares of dq are added in
  // the order of the keys.
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
        const auto in = image_of(qkv, 3 * sizes_.channels(), input_block_, pair / sizes_.heads);
        const auto out = image_of(y, sizes_.channels(), output_block_, pair / sizes_.heads);
        gather(in, 1, pair, 0, sizes_.tokens(), 1, room.k, stride());
        gather(in, 2, pair, 0, sizes_.tokens(), 1, room.v, stride());
        for (; task < end; ++task) {
          const std::size_t first = (task - pair * tiles) * lanes;
          gather(in, 0, pair, first, (std::min)(lanes, sizes_.tokens() - first), query_factor(), room.q, lanes);
          of_head_.forward(room.q, room.k, room.v, room.scores, room.o, greatest(pair) + first, inverse(pair) + first);
          for (std::size_t c = 0; c < sizes_.head_width; ++c)
            scatter(room.o + c * lanes, 1, out, pair % sizes_.heads * sizes_.head_width + c, first,
                    (std::min)(lanes, sizes_.tokens() - first));
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
          if (chunks() == 1)
            for (std::size_t c = 0; c < sizes_.head_width; ++c) scatter_queries(pair, c, dq + c * stride(), dqkv);
        }
      });
      if (chunks() > 1)
        be.parallel(count / chunks() * sizes_.head_width, [&](std::size_t row) {
          const std::size_t pair = row / sizes_.head_width, c = row % sizes_.head_width;
          float* const sum = slots + pair * chunks() * matrix() + c * stride();
          for (std::size_t chunk = 1; chunk < chunks(); ++chunk)
            for (std::size_t i = 0; i < sizes_.tokens(); ++i) sum[i] += sum[chunk * matrix() + i];
          scatter_queries(from + pair, c, sum, dqkv);
        });
    }
  }

 private:
  // The memory of a part, in arrays one after the other.
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
  float query_factor() const { return static_cast<float>(1.44269504088896341 * scale_); }
  float* greatest(std::size_t pair) { return raw(numbers_.view()) + 2 * pair * stride(); }
  float* inverse(std::size_t pair) { return greatest(pair) + stride(); }
  template <class T>
  blocked_image<T> image_of(T* batch, std::size_t channels, std::size_t block, std::size_t n) const {
    return {batch + n * channels * sizes_.tokens(), sizes_.tokens(), block};
  }

  // What keys from `first` on add to the gradients: sets their dk and dv, and dq, which lacks its factor.
  void share_of_keys(std::size_t pair, std::size_t first, const backward_part& room, float* dq, const float* qkv,
                     const float* y, const float* dy, float* dqkv) {
    const std::size_t n = pair / sizes_.heads, head = pair % sizes_.heads;
    const std::size_t count = (std::min)(keys_of_task, sizes_.tokens() - first);
    const auto in = image_of(qkv, 3 * sizes_.channels(), input_block_, n);
    const auto slopes = image_of(dqkv, 3 * sizes_.channels(), input_block_, n);
    gather(in, 0, pair, 0, sizes_.tokens(), query_factor(), room.q, stride());
    gather(in, 1, pair, first, count, 1, room.k, key_stride());
    gather(in, 2, pair, first, count, 1, room.v, key_stride());
    gather_dy(pair, image_of(y, sizes_.channels(), output_block_, n), image_of(dy, sizes_.channels(), output_block_, n),
              room);
    std::fill_n(dq, matrix(), 0.0f);
    const typename kernels::operands of{room.q, room.dy, greatest(pair), room.means, room.k, room.v, key_stride()};
    for (std::size_t key = 0; key < count; key += lanes) {
      const std::size_t keys = (std::min)(lanes, count - key);
      of_head_.backward(of, key, keys, room.products, dq, room.dk, room.dv);
      for (std::size_t c = 0; c < sizes_.head_width; ++c) {
        // The factor of the queries without its log2(e).
        scatter(room.dk + c * lanes, 0.693147181f, slopes, sizes_.channel(1, head, c), first + key, keys);
        scatter(room.dv + c * lanes, 1, slopes, sizes_.channel(2, head, c), first + key, keys);
      }
    }
  }

  // dy over the sums of the exponentials, and the sums of its products with y, which are those of dy v^T with the
  // weights.
  void gather_dy(std::size_t pair, blocked_image<const float> y, blocked_image<const float> dy,
                 const backward_part& room) {
    const float* const factor = inverse(pair);
    std::fill_n(room.means, stride(), 0.0f);
    for (std::size_t c = 0; c < sizes_.head_width; ++c) {
      const std::size_t channel = pair % sizes_.heads * sizes_.head_width + c;
      const float* of_y = y.plane(channel);
      const float* of_dy = dy.plane(channel);
      float* const to = room.dy + c * stride();
      for (std::size_t i = 0; i < sizes_.tokens(); ++i) {
        to[i] = of_dy[i * dy.block] * factor[i];
        room.means[i] += to[i] * of_y[i * y.block];
      }
      std::fill(to + sizes_.tokens(), to + stride(), 0.0f);
    }
  }

  // Tokens of the queries (`which` = 0), keys or values of a head, in rows of `row` numbers, zeros after them.
  void gather(blocked_image<const float> in, std::size_t which, std::size_t pair, std::size_t first, std::size_t count,
              float factor, float* to, std::size_t row) const {
    for (std::size_t c = 0; c < sizes_.head_width; ++c, to += row) {
      const float* from = in.plane(sizes_.channel(which, pair % sizes_.heads, c)) + first * in.block;
      for (std::size_t i = 0; i < count; ++i) to[i] = factor * from[i * in.block];
      std::fill(to + count, to + row, 0.0f);
    }
  }
  static void scatter(const float* from, float factor, blocked_image<float> out, std::size_t channel, std::size_t first,
                      std::size_t count) {
    float* to = out.plane(channel) + first * out.block;
    for (std::size_t i = 0; i < count; ++i) to[i * out.block] = factor * from[i];
  }
  void scatter_queries(std::size_t pair, std::size_t c, const float* dq, float* dqkv) const {
    scatter(dq, static_cast<float>(scale_), image_of(dqkv, 3 * sizes_.channels(), input_block_, pair / sizes_.heads),
            sizes_.channel(0, pair % sizes_.heads, c), 0, sizes_.tokens());
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
