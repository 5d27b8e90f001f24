#include <cmath>
#include <cstdio>

#include <softscore/core/error.hpp>
#include <softscore/core/number_text.hpp>
#include <softscore/io/npy.hpp>

#include "commands.hpp"
#include "data.hpp"
#include "judging.hpp"
#include "scoring.hpp"

namespace digits {

void run(const score_command& command) {
  const auto images = softscore::read_npy(command.file);
  // Data are read or drawn at the images' own size, so that size is checked first.
  softscore::require(images.shape(2) == images.shape(3) && images.shape(3) >= 12 && images.shape(3) <= 256,
                     "the size of the images in " + command.file.string(), softscore::extent_of(images),
                     "square, of 12 to 256 pixels a side");
  for (const float pixel : images)
    softscore::require(std::isfinite(pixel), "a pixel in " + command.file.string(), pixel, "finite");
  run_settings settings;
  settings.data = command.data;
  settings.images = command.images;
  settings.side = images.shape(3);
  const auto data = load_data(settings);
  const auto score = score_images(images, data);
  std::printf("Frechet distance to %zu test images in %zu principal components, %zu images each\n", score.tests,
              score.components, score.count);
  std::printf("  %-24s %10.4f\n", "held-out training images", score.held_out);
  std::printf("  %-24s %10.4f\n", "the images of the file", score.images);
  std::printf("  %-24s %10.4f\n", "uniform noise", score.noise);
  if (!command.features.empty())
    std::printf("in the features of %s\n%s", softscore::detail::printable(command.features).c_str(),
                judged_table(judge_images(images, data, command.features, {}, command.threads)).c_str());
}

}  // namespace digits
