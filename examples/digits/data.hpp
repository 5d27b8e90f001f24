#pragma once

#include <softscore/data/labeled_images.hpp>

#include "common/image_sets.hpp"
#include "settings.hpp"

namespace digits {

/// How many stroke digits are drawn where nobody says how many.
inline constexpr std::size_t usual_stroke_digits = 10000;

/// The built-in stroke digits that the settings ask for. Throws `error` for more than 4 GiB of them.
softscore::shape stroke_digits_asked(const run_settings& settings);

/// The images of a run: MNIST's from a folder, or built-in stroke digits, of which a tenth as many test the model. A
/// limit on MNIST's training images limits its test images to a tenth of that too.
softscore::data_set load_data(const run_settings& settings);

}  // namespace digits
