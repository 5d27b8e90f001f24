#include <cstdio>

#include <softscore/core/error.hpp>
#include <softscore/io/npy.hpp>

#include "commands.hpp"
#include "data.hpp"
#include "scoring.hpp"

namespace digits {

void run(const score_command& command) {
  const auto images = softscore::read_npy(command.file);
  run_settings settings;
  settings.data = command.data;
  settings.images = command.images;
  settings.side = images.shape(3);
  const auto score = score_images(images, load_data(settings));
  std::printf("Frechet distance to %zu test images in %zu principal components, %zu images each\n", score.tests,
              score.components, score.count);
  std::printf("  %-24s %10.4f\n", "held-out training images", score.held_out);
  std::printf("  %-24s %10.4f\n", "the images of the file", score.images);
  std::printf("  %-24s %10.4f\n", "uniform noise", score.noise);
}

}  // namespace digits
