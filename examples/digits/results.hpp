#pragma once

#include <softscore/data/labeled_images.hpp>

#include "commands.hpp"
#include "common/record.hpp"

namespace digits {

/// Throws `error` now, rather than after hours of training, if a file of `write_results` could not be written there.
void require_results_writable(const std::filesystem::path& out);

/// Draws images and writes all results of a finished run into `plan.out`: samples.npy, loss.csv, pictures and
/// report.html.
void write_results(softscore::tbb_backend& be, model& m, const run_settings& settings, const results_plan& plan,
                   const softscore::data_set& data, const training_record& record);

/// Draws with a progress bar. Throws `stopped_by_user`, which says `how_to_go_on`. `also` is called at every step.
drawing draw_with_bar(softscore::tbb_backend& be, const model& m, const sampling_plan& plan,
                      const std::string& how_to_go_on, const sampling_watch& also = {});

}  // namespace digits
