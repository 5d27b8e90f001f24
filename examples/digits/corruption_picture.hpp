#pragma once

#include "common/pictures.hpp"
#include "model.hpp"

namespace digits {

/// The first images as they are corrupted, one image a row and one time a column.
picture corruption_picture(softscore::tbb_backend& be, const model& m, const softscore::image_batch& images);

}  // namespace digits
