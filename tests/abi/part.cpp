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
void append(std::vector<float>& to, Array& from) {
  const auto v = from.view();
  for (std::size_t i = 0; i < v.size(); ++i) to.push_back(v[i]);
}

template <class Be>
void run_network(Be be, std::vector<float>& results) {
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
  append(results, out);
  append(results, dx);
  append(results, gradient);
}

}  // namespace

namespace PART {

part_results compute() {
  part_results results;
  tbb_backend be{2};
  const shape image{3, 1, 23, 29};  // sizes that no vector divides
  auto z = be.make<float>(image), y = be.make<float>(image);
  be.normal(noise_key{11, noise_stream::user, 2, 1}, image_range{5, image.images}, z.view());
  append(results.noise, z);
  be.combine_with_normal(noise_key{12}, image_range{0, image.images}, 0.5, y.view(),
                         term{per_image<double>{0.25}, z.view()});
  append(results.images, y);
  const gaussian_blur blur{.half_width = 5};
  degradation<gaussian_blur>::apply(blur, be, per_image<level>{level{1.5}}, view_of<tbb_backend, const float>(z.view()),
                                    y.view());
  append(results.images, y);
  run_network(tbb_backend{2}, results.images);
  run_network(serial_backend{}, results.images);
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

float last_element(const shape& extent, view<const float, host_space> values, per_image<level> levels,
                   const noise_key& key, const time_grid& grid) {
  const std::size_t last = extent.size() - 1;
  return values[last] + static_cast<float>(levels[extent.images - 1].value + grid[grid.steps() - 1].t.value) +
         static_cast<float>(key.seed);
}

}  // namespace PART
