#pragma once

// Corruptions, denoisers, samplers and the serial backend, without a header of any third party: what a program needs
// that brings its own denoiser.
#include <softscore/backend/serial/backend.hpp>
#include <softscore/corruption/background_corruption.hpp>
#include <softscore/corruption/beta_table.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/cosine.hpp>
#include <softscore/corruption/linear_beta.hpp>
#include <softscore/corruption/severity.hpp>
#include <softscore/corruption/two_stage.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/corruption/variance_preserving.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/operator/centred_mask.hpp>
#include <softscore/operator/diagonal.hpp>
#include <softscore/operator/eraser.hpp>
#include <softscore/operator/fade.hpp>
#include <softscore/operator/gathered.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/operator/on_host.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/sampler/cold.hpp>
#include <softscore/sampler/ddim.hpp>
#include <softscore/sampler/ddpm.hpp>
#include <softscore/sampler/drive.hpp>
#include <softscore/sampler/heun.hpp>
#include <softscore/sampler/momentum.hpp>
#include <softscore/sampler/naive.hpp>
#include <softscore/sampler/probability_flow.hpp>
