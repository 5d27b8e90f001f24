#include "results.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <softscore/io/atomic_file.hpp>
#include <softscore/io/npy.hpp>

#include "common/chart.hpp"
#include "common/files.hpp"
#include "common/image_sets.hpp"
#include "common/numbers.hpp"
#include "common/pictures.hpp"
#include "common/report.hpp"
#include "drawing.hpp"

namespace images {
namespace {

using common::grouped;
using common::short_number;

constexpr std::size_t most_shown = 100;

// Everything that the page shows, collected before it is written.
struct findings {
  checked_plan plan;
  common::drawing drawn;
  double seconds{};
  std::size_t parameters{}, threads{};
  common::picture samples, originals, path, nearest;
};

std::string widths_text(const std::vector<std::size_t>& widths) {
  std::string text;
  for (const std::size_t width : widths) text += (text.empty() ? "" : ", ") + std::to_string(width);
  return text;
}

std::vector<std::pair<std::string, std::string>> settings_rows(const run_settings& s, const findings& found,
                                                               const softscore::data_set& data,
                                                               const common::training_record& record) {
  const auto& o = s.training;
  const auto i = data.training.extent();
  const auto& plan = found.plan.asked;
  std::vector<std::pair<std::string, std::string>> all{
      {"training images", grouped(i.images) + " of " + std::to_string(i.channels) + " x " + std::to_string(i.height) +
                              " x " + std::to_string(i.width) + ", from " + s.data},
      {"network", "U-Net of widths " + widths_text(s.network.block_out_channels) + ", " +
                      std::to_string(s.network.layers_per_block) + " blocks a level, " + grouped(found.parameters) +
                      " parameters"},
      {"noise", std::string{s.scheduler.schedule == softscore::beta_rule::squaredcos_cap_v2 ? "cosine" : "betas"} +
                    ", " + std::to_string(s.scheduler.chain_steps()) + " steps"},
      {"epochs", std::to_string(o.epochs) + ", " + std::to_string(record.losses.size()) + " of " +
                     std::to_string(o.epochs * (i.images / o.batch_size)) + " steps done"},
      {"batch", std::to_string(o.batch_size)},
      {"learning rate", short_number(o.learning_rate) +
                            (o.warmup_steps > 0 ? ", reached after " + std::to_string(o.warmup_steps) + " steps" : "")},
      {"seed", std::to_string(o.seed)},
      {"mirrored images", o.random_flip ? "each with probability 1/2" : "no"}};
  if (s.network.label_count() > 0) {
    all.emplace_back("classes", std::to_string(s.network.label_count()));
    all.emplace_back("labels hidden", "with probability " + short_number(o.label_dropout));
  }
  if (o.ema_decay > 0.0)
    all.emplace_back("average of the parameters", "keeps " + short_number(o.ema_decay) + " at a step");
  all.emplace_back("sampler", plan.sampler + ", " + std::to_string(plan.steps) + " steps, " +
                                  std::to_string(found.drawn.nfe) + " network evaluations an image");
  if (found.plan.classes > 0) all.emplace_back("scale of guidance", short_number(found.plan.scale));
  all.emplace_back("images drawn", std::to_string(plan.count) + " in " + common::seconds_text(found.seconds));
  all.emplace_back("threads", std::to_string(found.threads));
  if (record.seconds > 0.0) all.emplace_back("training time", common::seconds_text(record.seconds));
  if (!record.computed.empty()) all.emplace_back("computed", record.computed);
  return all;
}

std::string rows_text(const run_settings& settings, const findings& found) {
  if (found.plan.classes == 0) return "drawn by the model";
  std::string text = "drawn by the model, from top to bottom: ";
  softscore::class_label last = softscore::no_class;
  for (const softscore::class_label label : found.plan.labels) {
    if (label != last)
      text += (last == softscore::no_class ? "" : ", ") + class_name(settings.classes, static_cast<std::size_t>(label));
    last = label;
  }
  return text;
}

common::report make_report(const run_settings& settings, const findings& found, const softscore::data_set& data,
                           const common::training_record& record, std::size_t steps_per_epoch) {
  common::report page{"Images out of noise",
                      "A U-Net of " + grouped(found.parameters) + " parameters learned to remove noise from " +
                          grouped(data.training.extent().images) +
                          " images. Below is what it draws when it starts from nothing but noise."};
  if (!record.test_losses.empty()) page.figure("test loss", short_number(record.test_losses.back()));
  page.figure("evaluations an image", std::to_string(found.drawn.nfe));
  page.figure("training steps", std::to_string(record.losses.size()));
  if (record.seconds > 0.0) page.figure("training time", common::seconds_text(record.seconds));
  page.figure("drawing time", common::seconds_text(found.seconds));

  page.section("Drawn and real", "Every image on the left was made from random numbers; none was chosen.");
  page.add_pair(found.samples, rows_text(settings, found), found.originals, "images that it learned from");
  page.section("From noise to image",
               "Each pair of rows is one image on its way from time 1 to time 0: above, the noisy image x\u209c; below "
               "it, the network's estimate of the clean image.");
  page.add_picture(found.path, "time t, from the start to the finished image");
  page.section("Loss",
               "Mean over a batch at every step, and over the test images after every epoch, with one fixed draw of "
               "time and noise per test image.");
  page.add(common::loss_chart(record.losses, record.test_losses, steps_per_epoch));
  page.add("<p class=\"note\"><span class=\"key train\"></span>training<span class=\"key test\"></span>test</p>");
  page.section("Has it learned by heart?",
               "Above, images that were drawn; below each, the training image that is nearest to it. Where the two "
               "differ, the model did not copy.");
  page.add_picture(found.nearest, "distance between the two, in pixel values");
  page.section("Settings",
               "Everything that made this page. The same settings give the same bits on any number of threads.");
  page.table(settings_rows(settings, found, data, record));
  return page;
}

// Images of all classes, which may be contiguous in the set.
softscore::image_batch some_of(const softscore::image_batch& images, std::size_t count) {
  const softscore::shape all = softscore::extent_of(images);
  count = std::min(count, all.images);
  auto part = softscore::make_tensor(all.with_images(count));
  for (std::size_t i = 0; i < count; ++i) common::copy_image(images, i * all.images / count, part, i);
  return part;
}

}  // namespace

void require_results_writable(const std::filesystem::path& out) {
  for (const char* name :
       {"loss.csv", "samples.npy", "samples.png", "data.png", "trajectory.png", "nearest.png", "report.html"})
    common::require_writable(out / name);
}

void write_results(softscore::tbb_backend& be, const model& m, const run_settings& settings, const results_plan& plan,
                   const softscore::data_set& data, const common::training_record& record) {
  findings found;
  found.plan = check_plan(plan.sampling, settings);
  found.parameters = m.parameter_count();
  found.threads = be.threads();
  const std::size_t steps_per_epoch = data.training.extent().images / settings.training.batch_size;
  softscore::write_file(plan.out / "loss.csv", common::loss_table(record, steps_per_epoch));

  const auto began = std::chrono::steady_clock::now();
  common::trajectory path{settings.scheduler.pixels, plan.sampling.steps, 4};
  found.drawn =
      draw(be, m, settings, found.plan,
           "the training is safe, draw with: images sample --checkpoint " + plan.checkpoint.string() + " --out FILE",
           [&](const common::sampling_view& v) {
             path.look(v);
             return true;
           });
  found.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  softscore::write_npy(plan.out / "samples.npy", found.drawn.images);

  const bool whole = plan.sampling.count <= most_shown;
  found.samples = common::grid_of("samples", whole ? found.drawn.images : some_of(found.drawn.images, most_shown),
                                  whole ? columns_of(found.plan) : 10);
  found.originals = common::grid_of("data", some_of(data.training.pixels, 64), 8);
  found.path = path.result(found.drawn.images);
  found.nearest = common::nearest_picture(some_of(found.drawn.images, 12), data.training.pixels);
  for (const auto* p : {&found.samples, &found.originals, &found.path, &found.nearest})
    common::write_picture(plan.out, *p);
  const auto page = make_report(settings, found, data, record, steps_per_epoch);
  softscore::write_file(plan.out / "report.html", page.html());
  std::printf("%s: the report, and beside it pictures, losses and samples\n", (plan.out / "report.html").c_str());
}

}  // namespace images
