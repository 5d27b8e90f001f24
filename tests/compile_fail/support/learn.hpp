#pragma once

#include <softscore/backend/serial/backend.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/nn/plain_cnn.hpp>
#include <softscore/objective/naive_loss.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/train/train.hpp>

inline const softscore::corruption noising{softscore::identity{}, softscore::variance_exploding{}};
inline softscore::residual_denoiser residual{softscore::plain_cnn{}};
