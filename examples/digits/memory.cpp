#include "memory.hpp"

#include <algorithm>
#include <string>

#include <softscore/core/error.hpp>
#include <softscore/core/number_text.hpp>

#include "common/memory.hpp"

namespace digits {

double least_training_bytes(const run_settings& settings, const softscore::shape& images) {
  const auto channels = static_cast<double>(images.channels);
  double of_blocks = 0, widest = channels, share = 1;
  for (const std::size_t width : settings.network.widths) {
    const double here = share * static_cast<double>(width);
    of_blocks += 2 * here;  // before the norm and after it
    widest = std::max(widest, here);
    if (settings.network.unet) share /= 4;  // a level has half the rows and columns of the one above
  }
  // Two gradients; x_0, xi, x_t and h; the input and the output of the network.
  const double planes = of_blocks + 2 * widest + 6 * channels;
  const double plane = static_cast<double>(images.height) * static_cast<double>(images.width);
  const double batch = static_cast<double>(settings.training.batch_size) * planes;
  return sizeof(float) * plane * (batch + static_cast<double>(images.images) * channels);
}

void require_memory(const run_settings& settings, const softscore::shape& images) {
  const double needed = least_training_bytes(settings, images), there = memory_of_machine();
  const auto whole = [](double bytes) { return softscore::detail::fixed(bytes, 0); };
  softscore::require(needed <= there, "--batch-size", settings.training.batch_size,
                     "small enough for the memory: with this network and " + std::to_string(images.images) +
                         " images a step takes at least " + whole(needed) + " bytes, and there are " + whole(there));
}

}  // namespace digits
