// One part of a pair; PART is its name.
#include "part.hpp"

#include <cstddef>
#include <string_view>

#include <softscore/backend/serial.hpp>
#include <softscore/backend/tbb.hpp>
#include <softscore/nn/plain_cnn.hpp>
#include <softscore/operator/gaussian_blur.hpp>

using namespace softscore;

namespace {

template <class Array>
std::vector<float> numbers_of(Array& array) {
  const auto v = array.view();
  return {&v[0], &v[0] + v.size()};
}

template <class Be>
void run_network(Be be, std::vector<std::vector<float>>& results) {
  const shape image{3, 1, 28, 28};
  plain_cnn network{{16, 32}, image};
  network.initialize(7);
  auto parameters = be.template make<float>({.images = 1, .width = network.parameter_count()});
  auto gradient = be.template make<float>({.images = 1, .width = network.parameter_count()});
  be.upload(network.parameters().data(), parameters.view());
  auto x = be.template make<float>(image), out = be.template make<float>(image), dx = be.template make<float>(image);
  be.normal(noise_key{3}, image_range{0, image.images}, x.view());
  auto workspace = network.template workspace<float>(be, image);
  const per_image<diffusion_time> times{diffusion_time{0.5}};
  network.template forward<Be, float>(be, parameters.view(), times, x.view(), out.view(), workspace);
  network.template backward<Be, float>(be, parameters.view(), out.view(), dx.view(), gradient.view(), workspace);
  results.push_back(numbers_of(out));
  results.push_back(numbers_of(dx));
  results.push_back(numbers_of(gradient));
}

}  // namespace

namespace PART {

part_results compute() {
  part_results results;
  tbb_backend be{2};
  const shape image{3, 1, 23, 29};  // sizes that no vector divides
  auto z = be.make<float>(image), y = be.make<float>(image);
  be.normal(noise_key{11, noise_stream::user, 2, 1}, image_range{5, image.images}, z.view());
  results.noise = numbers_of(z);
  be.combine_with_normal(noise_key{12}, image_range{0, image.images}, 0.5, y.view(),
                         term{per_image<double>{0.25}, z.view()});
  results.arrays.push_back(numbers_of(y));
  const gaussian_blur blur{.half_width = 5};
  degradation<gaussian_blur>::apply(blur, be, per_image<level>{level{1.5}}, view_of<tbb_backend, const float>(z.view()),
                                    y.view());
  results.arrays.push_back(numbers_of(y));
  run_network(tbb_backend{2}, results.arrays);
  run_network(serial_backend{}, results.arrays);
  return results;
}

void throw_error() { throw error("a sentence of the part"); }

bool catches(void (*throws)()) {
  try {
    throws();
  } catch (const error& problem) {
    return std::string_view{problem.what()} == "a sentence of the part";
  }
  return false;
}

std::size_t steps_of(const training_options& options, const data_set& data) {
  options.check();
  return options.epochs * (data.training.extent().images / options.batch_size);
}

float last_element(const shape& extent, view<const float, host_space> values, per_image<level> levels,
                   const noise_key& key, const time_grid& grid) {
  const std::size_t last = extent.size() - 1;
  return values[last] + static_cast<float>(levels[extent.images - 1].value + grid[grid.steps() - 1].t.value) +
         static_cast<float>(key.seed);
}

}  // namespace PART
