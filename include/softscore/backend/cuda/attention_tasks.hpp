#pragma once

#include <cstddef>

#include <softscore/backend/attention_shape.hpp>
#include <softscore/backend/cuda/group.hpp>
#include <softscore/backend/cuda/tasks.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// Attention on a device: a block of threads per image, head and token, with one row of weights in its shared memory.
// The backward pass has one kernel with a block per query, for dq, and one with a block per key, for dk and dv, so
// nothing is added across blocks.

// Sizes and addresses of one head of one image. The planes of consecutive numbers are `number_step` channels apart.
struct attention_steps {
  std::size_t heads, head_width, tokens, which_step, head_step, number_step;

  // The address of number 0 of token 0: of the queries (`which` = 0), keys or values, and of y or dy. `pair` counts
  // images and heads.
  template <class T>
  SOFTSCORE_HD T* input(T* qkv, std::size_t pair, std::size_t which) const {
    const std::size_t image = pair / heads, head = pair % heads;
    return qkv + (image * 3 * heads * head_width + which * which_step + head * head_step) * tokens;
  }
  template <class T>
  SOFTSCORE_HD T* output(T* y, std::size_t pair) const {
    return y + pair * head_width * tokens;
  }
  SOFTSCORE_HD std::size_t input_step() const { return number_step * tokens; }
  template <class T>
  SOFTSCORE_HD T scale() const {
    return static_cast<T>(1 / std::sqrt(static_cast<double>(head_width)));
  }
};
inline attention_steps steps_of(const attention_shape& s) {
  return {s.heads, s.head_width, s.tokens(), s.channel(1, 0, 0), s.channel(0, 1, 0), s.channel(0, 0, 1)};
}

// The shared memory of a block.
template <class T>
struct attention_room {
  static constexpr std::size_t threads = 256;
  static_assert(threads >= attention_shape::most_head_width);
  double* sums;  // a number per thread
  T* partial;    // the same
  T* first;      // two tokens' numbers
  T* second;
  T* weights;  // a number per token

  template <class Group>
  SOFTSCORE_HD attention_room(Group& group, std::size_t head_width)
      : sums{group.template shared<double>()},
        partial{reinterpret_cast<T*>(sums + threads)},
        first{partial + threads},
        second{first + head_width},
        weights{second + head_width} {}
  static grid launch(std::size_t pairs, const attention_steps& at) {
    return {pairs * at.tokens, threads,
            threads * sizeof(double) + (threads + 2 * at.head_width + at.tokens) * sizeof(T)};
  }
};

// out(c, the sum over all tokens j of weights[j] planes[c][j]) for c < count. Neighboring threads share a plane.
template <class T, class Group, class Out>
SOFTSCORE_HD void each_weighted_sum(Group& group, const attention_room<T>& room, const T* planes, std::size_t step,
                                    std::size_t count, std::size_t tokens, const Out& out) {
  constexpr std::size_t sharers = 32, at_once = attention_room<T>::threads / sharers;
  for (std::size_t first = 0; first < count; first += at_once) {
    group.each_thread([&](std::size_t t) {
      const std::size_t c = first + t / sharers;
      T sum{};
      if (c < count)
        for (std::size_t j = t % sharers; j < tokens; j += sharers) sum += room.weights[j] * planes[c * step + j];
      room.partial[t] = sum;
    });
    group.each_thread([&](std::size_t t) {
      if (t >= at_once || first + t >= count) return;
      T sum{};
      for (std::size_t k = 0; k < sharers; ++k) sum += room.partial[t * sharers + k];
      out(first + t, sum);
    });
  }
}

// The sum over c of numbers[c] planes[c * step].
template <class T>
SOFTSCORE_HD T product_with(const T* numbers, const T* planes, std::size_t step, std::size_t count) {
  T sum{};
  for (std::size_t c = 0; c < count; ++c) sum += numbers[c] * planes[c * step];
  return sum;
}

template <class T>
struct attention_forward_task {
  const T* qkv;
  T* y;
  T* greatest;  // for every image, head and query the largest score,
  T* inverse;   // and 1 over the sum of the exponentials
  std::size_t pairs;
  attention_steps at;

  grid launch() const { return attention_room<T>::launch(pairs, at); }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    const attention_room<T> room{group, at.head_width};
    const std::size_t pair = group.block() / at.tokens, i = group.block() % at.tokens, step = at.input_step();
    const T scale = at.scale<T>();
    const T* q = at.input(qkv, pair, 0);
    const T* k = at.input(qkv, pair, 1);
    group.each_thread([&](std::size_t t) {
      if (t < at.head_width) room.first[t] = scale * q[t * step + i];
    });
    group.each_thread([&](std::size_t t) {
      T most = t < at.tokens ? product_with(room.first, k + t, step, at.head_width) : T{};
      if (t < at.tokens) room.weights[t] = most;
      for (std::size_t j = t + group.threads(); j < at.tokens; j += group.threads()) {
        const T score = product_with(room.first, k + j, step, at.head_width);
        room.weights[j] = score;
        if (score > most) most = score;
      }
      room.partial[t] = most;
    });
    const std::size_t active = at.tokens < group.threads() ? at.tokens : group.threads();
    for (std::size_t half = group.threads() / 2; half > 0; half /= 2)
      group.each_thread([&](std::size_t t) {
        if (t < half && t + half < active && room.partial[t + half] > room.partial[t])
          room.partial[t] = room.partial[t + half];
      });
    group.each_thread([&](std::size_t t) {
      double sum = 0;
      for (std::size_t j = t; j < at.tokens; j += group.threads()) {
        const T weight = std::exp(room.weights[j] - room.partial[0]);
        room.weights[j] = weight;
        sum += static_cast<double>(weight);
      }
      room.sums[t] = sum;
      if (t == 0) greatest[group.block()] = room.partial[0];
    });
    add_up(group, room.sums);
    const T one = static_cast<T>(1 / room.sums[0]);
    group.each_thread([&](std::size_t t) {
      if (t == 0) inverse[group.block()] = one;
    });
    T* out = at.output(y, pair) + i;
    each_weighted_sum(group, room, at.input(qkv, pair, 2), step, at.head_width, at.tokens,
                      [&](std::size_t c, T sum) { out[c * at.tokens] = one * sum; });
  }
};

// dq, and for every query the mean of dy v^T, which the other kernel needs.
template <class T>
struct attention_queries_task {
  const T* qkv;
  const T* y;
  const T* dy;
  const T* greatest;
  const T* inverse;
  T* means;
  T* dqkv;
  std::size_t pairs;
  attention_steps at;

  grid launch() const { return attention_room<T>::launch(pairs, at); }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    const attention_room<T> room{group, at.head_width};
    const std::size_t pair = group.block() / at.tokens, i = group.block() % at.tokens, step = at.input_step();
    const T scale = at.scale<T>();
    const T* q = at.input(qkv, pair, 0);
    const T* k = at.input(qkv, pair, 1);
    const T* v = at.input(qkv, pair, 2);
    const T* of_y = at.output(y, pair) + i;
    const T* of_dy = at.output(dy, pair) + i;
    group.each_thread([&](std::size_t t) {
      room.sums[t] = 0;
      if (t >= at.head_width) return;
      room.first[t] = scale * q[t * step + i];
      room.second[t] = of_dy[t * at.tokens];
      room.sums[t] = static_cast<double>(room.second[t]) * static_cast<double>(of_y[t * at.tokens]);
    });
    add_up(group, room.sums);
    const T mean = static_cast<T>(room.sums[0]);
    group.each_thread([&](std::size_t t) {
      if (t == 0) means[group.block()] = mean;
      for (std::size_t j = t; j < at.tokens; j += group.threads()) {
        const T score = product_with(room.first, k + j, step, at.head_width);
        const T slope = product_with(room.second, v + j, step, at.head_width);
        room.weights[j] = std::exp(score - greatest[group.block()]) * inverse[group.block()] * (slope - mean);
      }
    });
    T* dq = at.input(dqkv, pair, 0) + i;
    each_weighted_sum(group, room, k, step, at.head_width, at.tokens,
                      [&](std::size_t c, T sum) { dq[c * step] = scale * sum; });
  }
};

// dk and dv.
template <class T>
struct attention_keys_task {
  const T* qkv;
  const T* dy;
  const T* greatest;
  const T* inverse;
  const T* means;
  T* dqkv;
  std::size_t pairs;
  attention_steps at;

  grid launch() const { return attention_room<T>::launch(pairs, at); }
  template <class Group>
  SOFTSCORE_HD void operator()(Group& group, const std::byte*) const {
    const attention_room<T> room{group, at.head_width};
    const std::size_t pair = group.block() / at.tokens, j = group.block() % at.tokens, step = at.input_step();
    const T scale = at.scale<T>();
    const T* q = at.input(qkv, pair, 0);
    const T* k = at.input(qkv, pair, 1);
    const T* v = at.input(qkv, pair, 2);
    const T* of_dy = at.output(dy, pair);
    group.each_thread([&](std::size_t t) {
      if (t >= at.head_width) return;
      room.first[t] = k[t * step + j];
      room.second[t] = v[t * step + j];
    });
    group.each_thread([&](std::size_t t) {
      for (std::size_t i = t; i < at.tokens; i += group.threads()) {
        T score{};  // with the same bits as in the other kernels
        for (std::size_t c = 0; c < at.head_width; ++c) score += (scale * q[c * step + i]) * room.first[c];
        const std::size_t row = pair * at.tokens + i;
        room.weights[i] = std::exp(score - greatest[row]) * inverse[row];
      }
    });
    T* dv = at.input(dqkv, pair, 2) + j;
    each_weighted_sum(group, room, of_dy, at.tokens, at.head_width, at.tokens,
                      [&](std::size_t c, T sum) { dv[c * step] = sum; });
    group.each_thread([&](std::size_t t) {
      for (std::size_t i = t; i < at.tokens; i += group.threads())
        room.weights[i] *= product_with(room.second, of_dy + i, at.tokens, at.head_width) - means[pair * at.tokens + i];
    });
    T* dk = at.input(dqkv, pair, 1) + j;
    each_weighted_sum(group, room, q, step, at.head_width, at.tokens,
                      [&](std::size_t c, T sum) { dk[c * step] = scale * sum; });
  }
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
