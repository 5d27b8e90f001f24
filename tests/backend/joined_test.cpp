// Operations that read two activations as one, and write the gradients of both: on every backend they have the bits
// that they have for the channels in one array (channels_test.cpp compares `concatenate` with its definition, and the
// tests of each operation what it computes from one array).
#include "catch.hpp"

#include <array>
#include <cstddef>
#include <vector>

#include <softscore/backend/serial.hpp>

#include "activations.hpp"
#include "device_under_test.hpp"
#include "slope.hpp"

using namespace softscore;

namespace {

struct parts {
  std::size_t first, second;
};
// Whole vectors on both sides for registers of 4, 8 and 16 floats; none; and blocks that differ between the parts, or
// between them and both together.
constexpr std::array<parts, 8> channels{{{16, 16}, {48, 16}, {16, 32}, {5, 7}, {16, 8}, {8, 40}, {24, 24}, {4, 12}}};

// The channels of two activations in two arrays, and in one.
template <class Be, class T>
struct joined_case {
  shape first, second, both;
  array_of<Be, T> a, b, whole;

  joined_case(Be& be, const parts& of, const shape& sizes, unsigned seed)
      : first{sizes.images, of.first, sizes.height, sizes.width},
        second{sizes.images, of.second, sizes.height, sizes.width},
        both{sizes.images, of.first + of.second, sizes.height, sizes.width},
        a{activation_of<T>(be, normal_numbers(first.size(), seed), first)},
        b{activation_of<T>(be, normal_numbers(second.size(), seed + 1), second)},
        whole{be.template make<T>(both)} {
    join(be);
  }
  // Copies the parts into the whole.
  void join(Be& be) { concatenate(be, a.view(), b.view(), whole.view()); }
  joined_view<T, typename Be::space> view() { return {a.view(), b.view()}; }
};

template <class T, class Be>
void check_convolution(Be& be, const parts& of, const conv2d_shape& sizes) {
  joined_case<Be, T> x{be, of, sizes.input(sizes.images), 1};
  const shape out = sizes.output(sizes.images);
  auto plan = make_conv2d<T>(be, sizes, make_scratch<T>(be));
  auto weight = array_holding<T>(be, normal_numbers(sizes.weight().size(), 3), sizes.weight());
  auto bias = array_holding<T>(be, normal_numbers(sizes.out_channels, 4), {1, sizes.out_channels, 1, 1});
  auto addend = activation_of<T>(be, normal_numbers(out.size(), 5), out);
  auto dy = activation_of<T>(be, normal_numbers(out.size(), 6), out);
  conv2d_prepare(be, plan, weight.view());
  const auto results = [&](joined_view<T, typename Be::space> of_x) {
    auto y = be.template make<T>(out), dx = be.template make<T>(x.both);
    auto dweight = be.template make<T>(sizes.weight()), dbias = be.template make<T>({1, sizes.out_channels, 1, 1});
    conv2d_forward(be, plan, of_x, weight.view(), bias.view(), y.view(), addend.view());
    conv2d_backward(be, plan, of_x, weight.view(), dy.view(), dx.view(), dweight.view(), dbias.view());
    return std::vector{values_of(be, y.view()), values_of(be, dx.view()), values_of(be, dweight.view()),
                       values_of(be, dbias.view())};
  };
  CHECK((results(x.view()) == results(x.whole.view())));
}

template <class T, class Be>
void check_group_norm(Be& be, const parts& of, const shape& sizes, std::size_t groups) {
  joined_case<Be, T> x{be, of, sizes, 1};
  const shape per_channel{1, x.both.channels, 1, 1};
  auto plan = make_group_norm<T>(be, {x.both, groups, 1e-5, activation::silu});
  auto gain = array_holding<T>(be, normal_numbers(x.both.channels, 3), per_channel);
  auto bias = array_holding<T>(be, normal_numbers(x.both.channels, 4), per_channel);
  auto dy = activation_of<T>(be, normal_numbers(x.both.size(), 5), x.both);
  auto addend = activation_of<T>(be, normal_numbers(x.both.size(), 6), x.both);
  const view_of<Be, T> none{};
  using numbers_of = std::vector<T>;
  const auto forward = [&](joined_view<T, typename Be::space> of_x) {
    auto y = be.template make<T>(x.both);
    group_norm_forward(be, plan, of_x, none, gain.view(), bias.view(), none, y.view());
    return values_of(be, y.view());
  };
  CHECK((forward(x.view()) == forward(x.whole.view())));
  // dgain, dbias and dx; or where a sum is wanted, what becomes of dx is nobody's concern.
  const auto backward = [&](joined_view<T, typename Be::space> of_x, view_of<Be, const T> beside,
                            joined_view<const T, typename Be::space> more, joined_view<T, typename Be::space> sum) {
    auto dx = be.template make<T>(x.both), dgain = be.template make<T>(per_channel),
         dbias = be.template make<T>(per_channel);
    group_norm_backward(be, plan, of_x, none, gain.view(), bias.view(), none, dy.view(), dx.view(), dgain.view(),
                        dbias.view(), none, none, beside, more, sum);
    return std::vector{values_of(be, dgain.view()), values_of(be, dbias.view()),
                       sum.empty() ? values_of(be, dx.view()) : numbers_of{}};
  };
  CHECK((backward(x.view(), {}, {}, {}) == backward(x.whole.view(), {}, {}, {})));
  for (const bool add_first : {false, true})
    for (const bool add_second : {false, true}) {
      CAPTURE(add_first, add_second);
      joined_case<Be, T> sum{be, of, sizes, 7};
      // What is not added to is 0 in the whole, and anything in its part.
      const auto zeros = [&](const shape& s) { return activation_of<T>(be, numbers(s.size()), s); };
      auto no_first = zeros(sum.first), no_second = zeros(sum.second);
      concatenate(be, add_first ? sum.a.view() : no_first.view(), add_second ? sum.b.view() : no_second.view(),
                  sum.whole.view());
      const auto of_whole = backward(x.whole.view(), addend.view(), sum.whole.view(), sum.whole.view());
      auto first = be.template make<T>(sum.first), second = be.template make<T>(sum.second);
      separate(be, sum.whole.view(), first.view(), second.view());
      // Each part by itself first, which leaves the other one alone.
      const auto once = [&](bool with_first, bool with_second) {
        joined_case<Be, T> fresh{be, of, sizes, 7};
        const joined_view<T, typename Be::space> to{with_first ? fresh.a.view() : none,
                                                    with_second ? fresh.b.view() : none};
        const joined_view<const T, typename Be::space> more{add_first ? to.first : none, add_second ? to.second : none};
        CHECK((backward(x.view(), addend.view(), more, to) == of_whole));
        CHECK((values_of(be, fresh.a.view()) == values_of(be, with_first ? first.view() : sum.a.view())));
        CHECK((values_of(be, fresh.b.view()) == values_of(be, with_second ? second.view() : sum.b.view())));
      };
      once(true, true);
      once(true, false);
      once(false, true);
    }
}

template <class T, class Be>
void check_joined(Be& be) {
  for (const parts& of : channels) {
    CAPTURE(of.first, of.second);
    const std::size_t in = of.first + of.second;
    for (const std::size_t out : {std::size_t{16}, std::size_t{6}})
      for (const std::size_t kernel : {std::size_t{1}, std::size_t{3}}) {
        CAPTURE(out, kernel);
        check_convolution<T>(
            be, of, {.images = 3, .in_channels = in, .out_channels = out, .height = 5, .width = 7, .kernel = kernel});
      }
    // Groups that are divided between the parts among them.
    for (const std::size_t groups : {std::size_t{1}, std::size_t{2}, std::size_t{4}})
      if (in % groups == 0) check_group_norm<T>(be, of, {2, in, 5, 7}, groups);
  }
}

}  // namespace

TEMPLATE_TEST_CASE("two activations are read as one", "[nn][backend]", HOST_BACKENDS, device_under_test) {
  TestType be;
  check_joined<float>(be);
  check_joined<double>(be);
}
