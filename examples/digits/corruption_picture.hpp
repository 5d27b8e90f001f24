#pragma once

#include "common/pictures.hpp"
#include "model.hpp"

namespace digits {

/// The first images as they are corrupted, one image per row and one time per column.
picture corruption_picture(softscore::tbb_backend& be, const model& m, const softscore::image_batch& images);

}  // namespace digits
