#pragma once

#include <softscore/core/shape.hpp>

#include "settings.hpp"

namespace digits {

/// Returns the bytes that training takes at least: the images, and what a step of one batch writes. Plans of
/// convolutions and copies are additional.
double least_training_bytes(const run_settings& settings, const softscore::shape& images);

/// Throws `error` if training on that many images takes more memory than the machine has. The kernel would otherwise
/// end the program without a message.
void require_memory(const run_settings& settings, const softscore::shape& images);

}  // namespace digits
