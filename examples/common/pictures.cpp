#include "pictures.hpp"

#include <algorithm>
#include <utility>

#include <softscore/core/number_text.hpp>
#include <softscore/io/png.hpp>
#include <softscore/io/tiled.hpp>
#include <softscore/metric/nearest.hpp>

#include "image_sets.hpp"

namespace common {
namespace {

constexpr std::size_t gap = 1, trajectory_columns = 9;
constexpr float paper = 0.24f;

// Pictures of one size below each other.
softscore::image_batch stacked(const std::vector<softscore::image_batch>& pictures, std::size_t space) {
  const softscore::shape s = softscore::extent_of(pictures.front());
  auto all = softscore::make_tensor({1, s.channels, pictures.size() * (s.height + space) - space, s.width});
  all.fill(paper);
  const softscore::shape a = softscore::extent_of(all);
  for (std::size_t i = 0; i < pictures.size(); ++i)
    for (std::size_t c = 0; c < s.channels; ++c)
      std::copy_n(pictures[i].data() + c * s.plane(), s.plane(),
                  all.data() + c * a.plane() + i * (s.height + space) * s.width);
  return all;
}

softscore::image_batch enlarged(const softscore::image_batch& image, std::size_t factor) {
  const softscore::shape s = softscore::extent_of(image);
  auto large = softscore::make_tensor({1, s.channels, s.height * factor, s.width * factor});
  const softscore::shape l = softscore::extent_of(large);
  for (std::size_t c = 0; c < l.channels; ++c)
    for (std::size_t y = 0; y < l.height; ++y)
      for (std::size_t x = 0; x < l.width; ++x) large(0, c, y, x) = image(0, c, y / factor, x / factor);
  return large;
}

}  // namespace

picture grid_of(std::string name, const softscore::image_batch& images, std::size_t columns) {
  return {std::move(name), softscore::tiled(images, columns, gap, paper), {}, columns};
}

picture labeled_grid(std::string name, const softscore::image_batch& images, std::vector<std::string> under) {
  picture result = grid_of(std::move(name), images, under.size());
  result.under = std::move(under);
  return result;
}

std::string time_label(double time) { return softscore::detail::rounded(time, 2); }

picture nearest_picture(const softscore::image_batch& drawn, const softscore::image_batch& training) {
  auto queries = first_images(drawn, 12);
  for (float& pixel : queries) pixel = std::clamp(pixel, 0.0f, 1.0f);
  const softscore::shape s = softscore::extent_of(queries);
  const auto found = softscore::nearest_images(softscore::as_view(queries), softscore::as_view(training));
  auto all = softscore::make_tensor(s.with_images(2 * s.images));
  picture result;
  for (std::size_t i = 0; i < s.images; ++i) {
    copy_image(queries, i, all, i);
    copy_image(training, found[i].index, all, s.images + i);
    result.under.push_back(softscore::detail::fixed(found[i].distance, 1));
  }
  result.name = "nearest";
  result.grid = softscore::tiled(all, s.images, gap, paper);
  result.columns = s.images;
  return result;
}

void write_picture(const std::filesystem::path& folder, const picture& p) {
  const softscore::shape s = softscore::extent_of(p.grid);
  const std::size_t factor = std::clamp<std::size_t>(900 / s.width, 1, 6);
  softscore::write_png(folder / (p.name + ".png"), enlarged(p.grid, factor));
}

trajectory::trajectory(softscore::pixel_scale pixels, std::size_t steps, std::size_t images)
    : pixels_{pixels}, steps_{steps}, images_{images} {}

void trajectory::look(const sampling_view& v) {
  if (over_) return;
  const std::size_t columns = std::min(trajectory_columns, steps_);
  if (moments_.size() < columns && v.at.index == moments_.size() * steps_ / columns) {
    const auto keep = [&](softscore::view<const float, softscore::host_space> from) {
      auto copy = softscore::to_xtensor(from.images(0, std::min(images_, from.extent().images)));
      for (float& pixel : copy) pixel = (pixel - pixels_.offset) / pixels_.gain;
      return copy;
    };
    moments_.push_back({v.at.t.value, keep(v.x), keep(v.h)});
  }
  // Later batches contain other images.
  over_ = v.at.index + 1 == v.at.count;
}

picture trajectory::result(const softscore::image_batch& drawn) const {
  const std::size_t columns = moments_.size() + 1;
  const softscore::shape s = softscore::extent_of(moments_.front().x);
  picture result;
  std::vector<softscore::image_batch> strips;  // one per image: x_t above h
  for (std::size_t i = 0; i < s.images; ++i) {
    auto strip = softscore::make_tensor(s.with_images(2 * columns));
    for (std::size_t k = 0; k < columns; ++k) {
      const bool last = k + 1 == columns;
      copy_image(last ? drawn : moments_[k].x, i, strip, k);
      copy_image(last ? drawn : moments_[k].h, i, strip, columns + k);
    }
    strips.push_back(softscore::tiled(strip, columns, gap, paper));
  }
  for (const auto& kept : moments_) result.under.push_back(time_label(kept.time));
  result.under.emplace_back("0");
  result.name = "trajectory";
  result.grid = stacked(strips, s.height / 6);
  result.columns = columns;
  return result;
}

}  // namespace common
