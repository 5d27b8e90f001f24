#pragma once

// The whole library. A program that is compiled often includes the headers it uses instead.
#include <softscore/backend/serial.hpp>
#include <softscore/backend/tbb.hpp>
#include <softscore/core/eigen.hpp>
#include <softscore/core/xtensor.hpp>
#include <softscore/data/cifar10.hpp>
#include <softscore/data/idx.hpp>
#include <softscore/data/image_folder.hpp>
#include <softscore/data/loader.hpp>
#include <softscore/data/pca.hpp>
#include <softscore/data/staged_batches.hpp>
#include <softscore/data/stroke_digits.hpp>
#include <softscore/denoiser/gaussian_denoiser.hpp>
#include <softscore/denoiser/mixture_denoiser.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/denoiser/posterior_denoiser.hpp>
#include <softscore/io/base64.hpp>
#include <softscore/io/npy.hpp>
#include <softscore/io/png.hpp>
#include <softscore/io/safetensors.hpp>
#include <softscore/io/tiled.hpp>
#include <softscore/metric/elbo.hpp>
#include <softscore/metric/frechet.hpp>
#include <softscore/metric/gaussian_kl.hpp>
#include <softscore/metric/log_likelihood.hpp>
#include <softscore/metric/nearest.hpp>
#include <softscore/metric/sinkhorn.hpp>
#include <softscore/metric/sliced_wasserstein.hpp>
#include <softscore/nn/plain_cnn.hpp>
#include <softscore/objective/cold_loss.hpp>
#include <softscore/objective/distillation_loss.hpp>
#include <softscore/objective/epsilon_loss.hpp>
#include <softscore/objective/learned_variance_loss.hpp>
#include <softscore/objective/naive_loss.hpp>
#include <softscore/objective/soft_score_matching_loss.hpp>
#include <softscore/objective/weighted_loss.hpp>
#include <softscore/operator/dense_svd.hpp>
#include <softscore/optim/ema.hpp>
#include <softscore/sampler/sample.hpp>
#include <softscore/sampling.hpp>
#include <softscore/schedule/matched_mse.hpp>
#include <softscore/schedule/schedule_file.hpp>
#include <softscore/schedule/wasserstein_search.hpp>
#include <softscore/train/checkpoint.hpp>
#include <softscore/train/fit_color_prior.hpp>
#include <softscore/train/fit_prior.hpp>
#include <softscore/train/progress_bar.hpp>
#include <softscore/train/train.hpp>

// For files that a CUDA compiler compiles.
#if defined(__CUDACC__)
#include <softscore/backend/cuda.hpp>
#endif
