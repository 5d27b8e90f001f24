#pragma once

#include <filesystem>

#include <softscore/backend/tbb.hpp>
#include <softscore/data/labeled_images.hpp>

#include "commands.hpp"
#include "common/record.hpp"
#include "model.hpp"

namespace images {

/// Throws `error` now, rather than after hours of training, if a file of `write_results` could not be written there.
void require_results_writable(const std::filesystem::path& out);

/// Draws images and writes all results of a finished run into `plan.out`: samples.npy, loss.csv, pictures and
/// report.html.
void write_results(softscore::tbb_backend& be, const model& m, const run_settings& settings, const results_plan& plan,
                   const softscore::data_set& data, const common::training_record& record);

}  // namespace images
