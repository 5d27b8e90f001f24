#include "corruption_picture.hpp"

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "common/image_sets.hpp"

namespace digits {

picture corruption_picture(softscore::tbb_backend& be, const model& m, const softscore::image_batch& images) {
  const std::vector<double> times{0.0, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 1.0};
  const auto clean = first_images(images, 5);
  const softscore::shape s = softscore::extent_of(clean);
  auto all = softscore::make_tensor(s.with_images(s.images * times.size()));
  std::vector<std::string> under;
  for (std::size_t k = 0; k < times.size(); ++k) {
    const auto noisy = m.corrupted(be, clean, times[k], 1);
    for (std::size_t i = 0; i < s.images; ++i) copy_image(noisy, i, all, i * times.size() + k);
    under.push_back(time_label(times[k]));
  }
  return labeled_grid("corruption", all, std::move(under));
}

}  // namespace digits
