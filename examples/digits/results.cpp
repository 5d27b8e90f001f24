#include "results.hpp"

#include <cstdio>
#include <string>

#include <softscore/io/npy.hpp>
#include <softscore/io/png.hpp>
#include <softscore/io/tiled.hpp>
#include <softscore/train/progress_bar.hpp>

#include "data.hpp"
#include "interrupt.hpp"

namespace digits {
namespace {

std::string loss_table(const training_record& record, std::size_t steps_per_epoch) {
  std::string text = "step,epoch,loss,test_loss\n";
  char line[96];
  for (std::size_t i = 0; i < record.losses.size(); ++i) {
    const std::size_t epoch = i / steps_per_epoch;
    std::snprintf(line, sizeof line, "%zu,%zu,%.9g,", i + 1, epoch + 1, static_cast<double>(record.losses[i]));
    text += line;
    if ((i + 1) % steps_per_epoch == 0 && epoch < record.test_losses.size()) {
      std::snprintf(line, sizeof line, "%.9g", record.test_losses[epoch]);
      text += line;
    }
    text += '\n';
  }
  return text;
}

}  // namespace

drawing draw_with_bar(softscore::tbb_backend& be, const model& m, const sampling_plan& plan,
                      const sampling_watch& also) {
  softscore::progress_bar bar;
  const auto watch = [&](const sampling_view& v) {
    bar(softscore::sampling_progress<softscore::tbb_backend, float>{be, v.at, v.x, v.h, v.nfe});
    if (also) also(v);
    return !interrupted();
  };
  auto drawn = m.sample(be, plan, watch);
  if (drawn.stopped) throw stopped_by_user{"stopped while sampling; nothing was written of it"};
  return drawn;
}

void write_results(softscore::tbb_backend& be, const model& m, const run_settings& settings, const results_plan& plan,
                   const softscore::data_set& data, const training_record& record) {
  const std::size_t steps_per_epoch = data.training.extent().images / settings.training.batch;
  softscore::write_file(plan.out / "loss.csv", loss_table(record, steps_per_epoch));
  const auto drawn = draw_with_bar(be, m, plan.sampling);
  softscore::write_npy(plan.out / "samples.npy", drawn.images);
  softscore::write_png(plan.out / "samples.png", softscore::tiled(first_images(drawn.images, 64), 8));
}

}  // namespace digits
