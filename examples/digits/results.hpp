#pragma once

#include <softscore/data/labeled_images.hpp>

#include "commands.hpp"
#include "common/record.hpp"

namespace digits {

/// Throws `error` now if a file of `write_results` could not be written there, rather than after hours of training.
void require_results_writable(const std::filesystem::path& out);

/// Draws images and writes all that a finished run shows into `plan.out`: samples.npy, loss.csv, pictures and
/// report.html.
void write_results(softscore::tbb_backend& be, model& m, const run_settings& settings, const results_plan& plan,
                   const softscore::data_set& data, const training_record& record);

/// Draws with a progress bar. Throws `stopped_by_user`, which says `how_to_go_on`. `also` sees every step.
drawing draw_with_bar(softscore::tbb_backend& be, const model& m, const sampling_plan& plan,
                      const std::string& how_to_go_on, const sampling_watch& also = {});

}  // namespace digits
