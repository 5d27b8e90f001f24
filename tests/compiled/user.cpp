// A program that uses the compiled backend: with the kernels of every instruction set that the processor has, noise has
// the bits of the serial backend, and networks, their gradients and a step of Adam its numbers. Prints the instruction
// set that a new backend gets, and returns 1 if anything differs.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <string>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include <softscore/backend/serial.hpp>
#include <softscore/compiled.hpp>
#include <softscore/compiled/known_bodies.hpp>
#include <softscore/nn/plain_cnn.hpp>
#include <softscore/nn/unet.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/optim/adam.hpp>

using namespace softscore;

namespace {

using numbers = std::vector<float>;

struct named_numbers {
  const char* name;
  double allowed;  // of the largest number
  numbers values;
};

template <class Be, class T>
std::vector<T> host(Be& be, view<T, host_space> v) {
  std::vector<T> values(v.size());
  be.download(view<const T, host_space>(v), values.data());
  return values;
}

// Bodies that the kernels do not know, which this program compiles.
struct twice {
  template <class T>
  void operator()(T& y, const T& x) const {
    y = x + x;
  }
};
struct difference {
  template <class V>
  V operator()(V x, V number) const {
    return x - number;
  }
};
struct mirrored {
  template <class Plane>
  typename Plane::value operator()(const Plane& in, std::size_t row, std::size_t column) const {
    return in(in.height - 1 - row, in.width - 1 - column);
  }
};
using known = detail::known_element_bodies<float>;
static_assert(detail::Knows<known, adam_body, float, float, float, const float>);
static_assert(!detail::Knows<known, twice, float, const float>);

template <class Be>
void add_own_bodies(Be& be, std::vector<named_numbers>& results) {
  const shape s{2, 32, 5, 3};
  auto x = be.template make<float>(s), y = be.template make<float>(s), packed = be.template make<float>(s);
  auto numbers = be.template make<float>({2, 32, 1, 1});
  be.normal(noise_key{5}, image_range{0, 2}, x.view());
  be.normal(noise_key{6}, image_range{0, 2}, numbers.view());
  be.for_each(twice{}, y.view(), view<const float, host_space>(x.view()));
  results.push_back({"own element body", 0.0, host(be, y.view())});
  pack(be, x.view(), packed.view());
  auto mapped = be.template make<float>(s);
  map_channels(be, difference{}, packed.view(), numbers.view(), mapped.view());
  unpack(be, mapped.view(), y.view());
  results.push_back({"own channel body", 0.0, host(be, y.view())});
  map_planes(be, mirrored{}, packed.view(), mapped.view());
  unpack(be, mapped.view(), y.view());
  results.push_back({"own plane body", 0.0, host(be, y.view())});
}

unet_config small_unet() {
  unet_config c;
  c.in_channels = c.out_channels = 3;
  c.block_out_channels = {16, 32};
  c.down_blocks = {unet_block::resnet, unet_block::attention};
  c.up_blocks = {unet_block::attention, unet_block::plain};
  c.layers_per_block = 1;
  c.norm_num_groups = 8;
  c.dropout = 0.1;
  c.class_embedding = unet_class::table;
  c.num_class_embeds = 5;
  return c;
}

// A whole pass of a network rounds by at most (8 sqrt(n) + 100) 2^-24 of the length of its terms in each of ten sums on
// a path (tests/backend/operations_test.cpp), n below 10^3: 2e-4 at worst and a tenth of that on average.
constexpr double rounding = 3e-5;

// What both passes of a network give, from random parameters, and the parameters after a step of Adam.
template <class Be, class N, class Input>
void add_passes(Be& be, N network, const shape& image, const Input& input, std::vector<named_numbers>& results) {
  network.initialize(7);
  const shape flat{.images = 1, .width = network.parameter_count()};
  auto parameters = be.template make<float>(flat), gradient = be.template make<float>(flat),
       m = be.template make<float>(flat), v = be.template make<float>(flat), average = be.template make<float>(flat);
  be.upload(network.parameters().data(), parameters.view());
  auto x = be.template make<float>(image), out = be.template make<float>(image), dx = be.template make<float>(image);
  be.normal(noise_key{3}, image_range{0, image.images}, x.view());
  auto workspace = network.template workspace<float>(be, image);
  network.template forward<Be, float>(be, parameters.view(), input, x.view(), out.view(), workspace);
  network.template backward<Be, float>(be, parameters.view(), out.view(), dx.view(), gradient.view(), workspace);
  results.push_back({"output", rounding, host(be, out.view())});
  results.push_back({"gradient of the input", rounding, host(be, dx.view())});
  results.push_back({"gradient of the parameters", rounding, host(be, gradient.view())});
  // From one gradient, because Adam's first step has a sign's jump where a gradient is 0.
  be.normal(noise_key{4}, image_range{0, 1}, gradient.view());
  adam{}.step_with_average(be, 1, parameters.view(), m.view(), v.view(), average.view(), gradient.view(), 0.9);
  results.push_back({"parameters after a step", 1e-6, host(be, parameters.view())});
  results.push_back({"average after a step", 1e-6, host(be, average.view())});
}

template <class Be>
std::vector<named_numbers> results_on(Be& be) {
  std::vector<named_numbers> results;
  const shape image{3, 1, 23, 29};  // sizes that no vector divides
  auto z = be.template make<float>(image), y = be.template make<float>(image);
  be.normal(noise_key{11, noise_stream::user, 2, 1}, image_range{5, image.images}, z.view());
  results.push_back({"noise", 0.0, host(be, z.view())});
  be.combine(y.view(), term{per_image<double>{0.25}, z.view()}, term{per_image<double>{-2.0}, z.view()});
  results.push_back({"sum of two arrays", 1e-6, host(be, y.view())});
  degradation<gaussian_blur>::apply(gaussian_blur{.half_width = 5}, be, per_image<level>{level{1.5}},
                                    view_of<Be, const float>(z.view()), y.view());
  results.push_back({"blur", 1e-6, host(be, y.view())});

  add_own_bodies(be, results);
  const shape gray{3, 1, 28, 28};
  add_passes(be, plain_cnn{{16, 32}, gray}, gray, per_image<diffusion_time>{diffusion_time{0.5}}, results);
  const std::vector<class_label> labels{3, no_class, 0};
  const network_input<step_index> input{per_image<step_index>{step_index{300}}, conditioning{.labels = labels},
                                        dropout_draw{5, 7, 2}};
  add_passes(be, unet<step_index>{small_unet()}, shape{3, 3, 8, 8}, input, results);
  return results;
}

int failures = 0;
void expect(bool holds, const std::string& what) {
  if (!holds) std::printf("wrong: %s\n", what.c_str());
  failures += !holds;
}

void compare(const std::vector<named_numbers>& here, const std::vector<named_numbers>& wanted,
             const std::string& where) {
  for (std::size_t k = 0; k < wanted.size(); ++k) {
    const numbers &a = here[k].values, &b = wanted[k].values;
    double most = 0, largest = 0;
    bool finite = true;
    for (std::size_t i = 0; i < b.size(); ++i) {
      finite = finite && std::isfinite(a[i]);
      most = std::max(most, static_cast<double>(std::abs(a[i] - b[i])));
      largest = std::max(largest, static_cast<double>(std::abs(b[i])));
    }
    expect(finite && most <= wanted[k].allowed * largest,
           where + ", " + wanted[k].name + ": " + std::to_string(most / largest));
  }
}

// Whether the kernels' error arrives as ours, with its sentence.
bool refuses(compiled_backend& be) {
  try {
    auto plan = make_conv2d<float>(
        be, conv2d_shape{
                .images = 1, .in_channels = 1, .out_channels = 1, .height = 2, .width = 2, .kernel = 3, .stride = 0});
  } catch (const error& problem) {
    return std::string{problem.what()}.find("stride") != std::string::npos;
  }
  return false;
}

// Whether kernels refuse a plan of another instruction set's, and an empty one.
bool refuses_plans_of_others(compiled_backend& be) {
  const auto refused = [&](auto plan) {
    const shape image{1, 1, 4, 4}, weights{1, 1, 3, 3};
    auto x = be.make<float>(image), y = be.make<float>(image), w = be.make<float>(weights);
    try {
      conv2d_forward(be, plan, x.view(), w.view(), view<const float, host_space>{}, y.view());
    } catch (const error& problem) {
      return std::string{problem.what()}.starts_with("the plan of an operation is ");
    }
    return false;
  };
  if (!refused(compiled_plan<compiled::conv2d_kind, float>{})) return false;
  compiled_backend oldest{1, compiled::instruction_set::x86_64_v2};
  auto plan = make_conv2d<float>(
      oldest, conv2d_shape{.images = 1, .in_channels = 1, .out_channels = 1, .height = 4, .width = 4, .kernel = 3});
  return refused(plan) == (be.instructions() != oldest.instructions());
}

// The child of a fork has no threads, and computes the same.
bool holds_in_child(compiled_backend& be, const std::vector<named_numbers>& wanted) {
  const pid_t id = ::fork();
  if (id == 0) {
    ::alarm(60);
    const int before = failures;
    compare(results_on(be), wanted, "in a child");
    ::_exit(failures == before ? 0 : 1);
  }
  int status = -1;
  return id > 0 && ::waitpid(id, &status, 0) == id && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

int main() try {
  serial_backend serial;
  const auto wanted = results_on(serial);
  for (const auto instructions : {compiled::instruction_set::x86_64_v2, compiled::instruction_set::x86_64_v3,
                                  compiled::instruction_set::x86_64_v4}) {
    try {
      compiled_backend be{2, instructions};
      compare(results_on(be), wanted, std::string{be.instructions()});
    } catch (const error& problem) {
      expect(std::string{problem.what()}.find("an instruction set that this processor has") != std::string::npos,
             problem.what());
    }
  }
  compiled_backend be{2};
  expect(be.threads() == 2, "the number of threads");
  expect(refuses(be), "the refusal of a stride of 0");
  expect(refuses_plans_of_others(be), "the refusal of a plan of other kernels");
  const auto here = results_on(be);
  expect(holds_in_child(be, wanted), "the child of a fork");
  compiled_backend one{1};
  const auto alone = results_on(one);
  for (std::size_t k = 0; k < here.size(); ++k) expect(here[k].values == alone[k].values, here[k].name);
  std::printf("%s\n", std::string{be.instructions()}.c_str());
  return failures == 0 ? 0 : 1;
} catch (const error& problem) {
  std::printf("%s\n", problem.what());
  return 2;
}
