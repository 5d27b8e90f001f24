#pragma once

// The tbb backend with a clock on every operation, so that a step's time can be told apart by operation and size. The
// clock is read on the caller's thread, which waits for the others. The two gradients of a convolution are asked for
// one after the other.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <type_traits>

#include <softscore/backend/tbb.hpp>

namespace bench {

using namespace softscore;

class timed_backend : public tbb_backend {
 public:
  using tbb_backend::tbb_backend;

  struct entry {
    double seconds{};
    std::size_t calls{};
  };
  std::map<std::string, entry> entries;  // by operation and size

  /// Calls `run`, and books its time under `what`.
  template <class Run>
  void clocked(const std::string& what, const Run& run) {
    const auto begin = std::chrono::steady_clock::now();
    run();
    entry& of = entries[what];
    of.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    ++of.calls;
  }

  template <class V, class... Terms>
  void combine(V out, const Terms&... terms) {
    clocked("combine|" + std::to_string(sizeof...(terms)) + " terms " + sized(out.extent()),
            [&] { tbb_backend::combine(out, terms...); });
  }
  template <class Body, class First, class... Rest>
  void for_each(Body body, First first, Rest... rest) {
    clocked(std::string{"for each|"} + (sizeof...(rest) >= 3 ? "Adam" : "other"),
            [&] { tbb_backend::for_each(body, first, rest...); });
  }

  static std::string sized(const shape& s) {
    return std::to_string(s.channels) + " at " + std::to_string(s.height) + "x" + std::to_string(s.width);
  }
};

inline std::string named(const conv2d_shape& s) {
  const std::string side = std::to_string(s.kernel.height);
  return "conv " + side + "x" + side + (s.stride > 1 ? " stride 2" : "");
}
inline std::string sized(const conv2d_shape& s) {
  return std::to_string(s.in_channels) + "-" + std::to_string(s.out_channels) + " at " + std::to_string(s.height) +
         "x" + std::to_string(s.width);
}

inline void conv2d_prepare(timed_backend& be, tbb_conv2d<float>& plan, const_view<float, host_space> weight) {
  be.clocked(named(plan.sizes) + ", weights prepared|" + sized(plan.sizes),
             [&] { softscore::conv2d_prepare(static_cast<tbb_backend&>(be), plan, weight); });
}
inline void conv2d_forward(timed_backend& be, tbb_conv2d<float>& plan, const_joined_view<float, host_space> x,
                           const_view<float, host_space> weight, const_view<float, host_space> bias,
                           view<float, host_space> y, const_view<float, host_space> addend = {}) {
  be.clocked(named(plan.sizes) + ", forward|" + sized(plan.sizes) + ", " + std::string{plan.describe()},
             [&] { softscore::conv2d_forward(static_cast<tbb_backend&>(be), plan, x, weight, bias, y, addend); });
}
inline void conv2d_backward(timed_backend& be, tbb_conv2d<float>& plan, const_joined_view<float, host_space> x,
                            const_view<float, host_space> weight, const_view<float, host_space> dy,
                            view<float, host_space> dx, view<float, host_space> dweight,
                            view<float, host_space> dbias) {
  tbb_backend& plain = be;
  const view<float, host_space> none{};
  const std::string size = sized(plan.sizes) + ", " + std::string{plan.describe()};
  if (!dx.empty())
    be.clocked(named(plan.sizes) + ", dx|" + size,
               [&] { softscore::conv2d_backward(plain, plan, x, weight, dy, dx, none, none); });
  if (!dweight.empty())
    be.clocked(named(plan.sizes) + ", dweight|" + size,
               [&] { softscore::conv2d_backward(plain, plan, x, weight, dy, none, dweight, dbias); });
}

inline std::string sized(const attention_shape& s) {
  return std::to_string(s.heads) + " heads of " + std::to_string(s.head_width) + ", " + std::to_string(s.height) + "x" +
         std::to_string(s.width);
}
inline void attention_forward(timed_backend& be, tbb_attention<float>& plan, const_view<float, host_space> qkv,
                              view<float, host_space> y) {
  be.clocked("attention, forward|" + sized(plan.sizes),
             [&] { softscore::attention_forward(static_cast<tbb_backend&>(be), plan, qkv, y); });
}
inline void attention_backward(timed_backend& be, tbb_attention<float>& plan, const_view<float, host_space> qkv,
                               const_view<float, host_space> y, const_view<float, host_space> dy,
                               view<float, host_space> dqkv) {
  be.clocked("attention, backward|" + sized(plan.sizes),
             [&] { softscore::attention_backward(static_cast<tbb_backend&>(be), plan, qkv, y, dy, dqkv); });
}

template <class... Views>
void group_norm_forward(timed_backend& be, tbb_group_norm<float>& plan, const Views&... views) {
  be.clocked("group norm, forward|" + timed_backend::sized(plan.sizes.sizes),
             [&] { softscore::group_norm_forward<float>(static_cast<tbb_backend&>(be), plan, views...); });
}
template <class... Views>
void group_norm_backward(timed_backend& be, tbb_group_norm<float>& plan, const Views&... views) {
  be.clocked("group norm, backward|" + timed_backend::sized(plan.sizes.sizes),
             [&] { softscore::group_norm_backward<float>(static_cast<tbb_backend&>(be), plan, views...); });
}

// The others, whose views say all of their sizes.
#define BENCH_TIMED(OPERATION, NAME)                                                                    \
  template <class... Arguments>                                                                         \
    requires requires(tbb_backend& plain, const Arguments&... a) { softscore::OPERATION(plain, a...); } \
  void OPERATION(timed_backend& be, const Arguments&... arguments) {                                    \
    be.clocked(NAME, [&] { softscore::OPERATION(static_cast<tbb_backend&>(be), arguments...); });       \
  }
BENCH_TIMED(pack, "pack and unpack|pack")
BENCH_TIMED(unpack, "pack and unpack|unpack")
BENCH_TIMED(concatenate, "concatenate|")
BENCH_TIMED(separate, "separate|")
BENCH_TIMED(map_planes, "resampling|")
BENCH_TIMED(activate_forward, "activation alone|forward")
BENCH_TIMED(activate_backward, "activation alone|backward")
BENCH_TIMED(linear_forward, "dense|forward")
BENCH_TIMED(linear_backward, "dense|backward")
#undef BENCH_TIMED

}  // namespace bench
