#pragma once

#include <softscore/core/shape.hpp>

#include "settings.hpp"

namespace digits {

/// Bytes that training takes at least: the images, and what a step of one batch writes. Plans of convolutions and
/// copies come on top.
double least_training_bytes(const run_settings& settings, const softscore::shape& images);

/// Throws `error` where training on that many images takes more than the machine has, which the kernel would answer by
/// ending the program without a word.
void require_memory(const run_settings& settings, const softscore::shape& images);

}  // namespace digits
