#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

#include <softscore/core/xtensor.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/tabulated.hpp>
#include <softscore/io/tiled.hpp>

// The picture of a schedule: its level over time, and a few images at even times.
namespace schedule_search {

using color = std::array<float, 3>;
constexpr color white{1, 1, 1}, gray{0.8f, 0.8f, 0.8f}, blue{0.1f, 0.3f, 0.7f}, orange{0.9f, 0.5f, 0.1f};

/// An RGB image to draw on.
class canvas {
 public:
  canvas(std::size_t height, std::size_t width) : image_{softscore::make_tensor({1, 3, height, width})} {
    for (std::size_t y = 0; y < height; ++y)
      for (std::size_t x = 0; x < width; ++x) put(y, x, white);
  }
  const softscore::image_batch& image() const { return image_; }
  void put(std::size_t y, std::size_t x, const color& c) {
    for (std::size_t k = 0; k < 3; ++k) image_(0, k, y, x) = c[k];
  }
  /// A disc of radius `r` around (x, y), clipped at the edge.
  void dot(double x, double y, double r, const color& c) {
    const auto within = [](double v, std::size_t end) {
      return static_cast<std::size_t>(std::clamp(v, 0.0, static_cast<double>(end)));
    };
    const softscore::shape s = softscore::extent_of(image_);
    for (std::size_t i = within(std::floor(y - r), s.height); i < within(std::ceil(y + r) + 1, s.height); ++i)
      for (std::size_t j = within(std::floor(x - r), s.width); j < within(std::ceil(x + r) + 1, s.width); ++j)
        if (std::hypot(static_cast<double>(j) - x, static_cast<double>(i) - y) <= r) put(i, j, c);
  }
  /// A gray or RGB image with its upper left corner at row `top`.
  void paste(const softscore::image_batch& small, std::size_t top) {
    const softscore::shape s = softscore::extent_of(small);
    for (std::size_t y = 0; y < s.height; ++y)
      for (std::size_t x = 0; x < s.width; ++x)
        for (std::size_t k = 0; k < 3; ++k) image_(0, k, top + y, x) = small(0, s.channels == 1 ? 0 : k, y, x);
  }

 private:
  softscore::image_batch image_;
};

/// x_t of the images at `columns` even times from 0 to 1, one image per row.
template <class Be, class Op>
softscore::image_batch strip(Be& be, const Op& op, const softscore::tabulated& schedule,
                             softscore::view<const float, softscore::host_space> images, std::size_t columns) {
  using namespace softscore;
  const corruption corrupting{op, schedule};
  const shape extent = images.extent();
  auto clean = be.template make<float>(extent), xi = be.template make<float>(extent),
       noisy = be.template make<float>(extent);
  be.combine(clean.view(), term<float, host_space>{1.0, images});
  corrupting.draw_xi(be, noise_key{.seed = 5}, {0, extent.images}, xi.view());
  auto all = make_tensor(extent.with_images(extent.images * columns));
  for (std::size_t k = 0; k < columns; ++k) {
    const diffusion_time t{static_cast<double>(k) / static_cast<double>(columns - 1)};
    corrupting.template corrupt<Be, float>(be, t, clean.view(), xi.view(), noisy.view());
    for (std::size_t i = 0; i < extent.images; ++i)
      std::copy_n(noisy.view().image(i).data(), extent.per_image(),
                  all.data() + (i * columns + k) * extent.per_image());
  }
  return tiled(all, columns, 2, 1.0f);
}

/// The levels of a schedule (blue, with a dot for each point of the search) and of its baseline (orange) over time,
/// above the strip.
inline softscore::image_batch picture(const softscore::tabulated& found, const softscore::tabulated& baseline,
                                      double stage, const softscore::image_batch& images) {
  using namespace softscore;
  const shape s = extent_of(images);
  const std::size_t height = 240, margin = 8;
  canvas all{height + s.height, s.width};
  const double most = found.points().back().level, wide = static_cast<double>(s.width - 2 * margin),
               high = static_cast<double>(height - 2 * margin);
  const auto x_of = [&](double t) { return static_cast<double>(margin) + t * wide; };
  const auto y_of = [&](double w) { return static_cast<double>(height - margin) - w / most * high; };
  for (int line = 0; line <= 4; ++line)
    for (std::size_t i = 0; i <= s.width - 2 * margin; ++i) {
      all.put(static_cast<std::size_t>(y_of(most * line / 4.0)), margin + i, gray);
      if (i <= height - 2 * margin) all.put(margin + i, static_cast<std::size_t>(x_of(line / 4.0)), gray);
    }
  const auto curve = [&](const tabulated& schedule, const color& c) {
    for (int i = 0; i <= 20000; ++i) {
      const diffusion_time t{i / 20000.0};
      all.dot(x_of(t.value), y_of(std::min(most, schedule.level_at(t).value)), 1.0, c);
    }
  };
  curve(baseline, orange);
  curve(found, blue);
  for (const auto& p : found.points())
    if (p.time >= stage) all.dot(x_of(p.time), y_of(p.level), 3.0, blue);
  all.paste(images, height);
  return all.image();
}

}  // namespace schedule_search
