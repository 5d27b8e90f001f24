#include <cstdio>
#include <string>

#include <softscore/core/error.hpp>
#include <softscore/io/npy.hpp>
#include <softscore/io/png.hpp>
#include <softscore/io/tiled.hpp>

#include "checkpoints.hpp"
#include "commands.hpp"
#include "common/files.hpp"
#include "data.hpp"
#include "results.hpp"

namespace digits {

void run(sample_command command) {
  const std::string end = command.out.extension().string();
  const bool picture = end == ".png";
  softscore::require(picture || end == ".npy" || end.empty(), "--out", command.out.string(),
                     "a file that ends in .npy or .png");
  auto loaded = load_checkpoint(command.checkpoint);
  const auto& entry = find_recipe(loaded.about.settings.recipe);
  command.sampling.sampler = command.sampler.value_or(std::string{entry.sampler});
  command.sampling.steps = command.steps.value_or(entry.steps);
  loaded.made->check_sampler(command.sampling.sampler);
  require_writable(command.out);

  softscore::tbb_backend backend{command.threads};
  if (command.prior != prior_choice::trained) {
    softscore::require(entry.fits_prior, "--prior", command.prior == prior_choice::color ? "color" : "corrupted_color",
                       "left out, for the recipe " + loaded.about.settings.recipe + " starts from nothing of an image");
    if (!command.data.empty()) loaded.about.settings.data = command.data;
    const auto data = load_data(loaded.about.settings);
    require_trained_on(data, loaded.about.fingerprint, command.checkpoint);
    loaded.made->fit_prior(backend, data.training.pixels, command.prior);
  }
  const auto drawn = draw_with_bar(backend, *loaded.made, command.sampling, "the same command draws the same images");
  if (picture) {
    std::size_t columns = 1;
    while (columns * columns < command.sampling.count) ++columns;
    softscore::write_png(command.out, softscore::tiled(drawn.images, columns));
  } else {
    softscore::write_npy(command.out, drawn.images);
  }
  std::printf("%s: %zu images by %s, %zu network evaluations each\n", command.out.c_str(), command.sampling.count,
              command.sampling.sampler.c_str(), drawn.nfe);
}

}  // namespace digits
