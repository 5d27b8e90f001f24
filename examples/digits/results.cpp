#include "results.hpp"

#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <softscore/io/npy.hpp>
#include <softscore/train/progress_bar.hpp>

#include "common/chart.hpp"
#include "common/files.hpp"
#include "common/interrupt.hpp"
#include "common/report.hpp"
#include "corruption_picture.hpp"
#include "data.hpp"
#include "judging.hpp"
#include "scoring.hpp"

namespace digits {
namespace {

// Everything that the page shows, collected before it is written.
struct findings {
  softscore::shape images;
  drawing drawn;
  double sampling_seconds{};
  std::optional<frechet_scores> score;
  std::vector<judged_set> judged;  // training images, the images, noise, and the test images themselves
  picture samples, originals, path, corruption, nearest;
};

using rows = std::vector<std::pair<std::string, std::string>>;

rows settings_rows(const run_settings& s, const results_plan& plan, const findings& found, std::size_t parameters,
                   std::size_t steps_done, std::size_t threads) {
  const auto& o = s.training;
  const auto& i = found.images;
  rows all{
      {"recipe", s.recipe + ": " + std::string{find_recipe(s.recipe).about}},
      {"training images", std::to_string(i.images) + " of " + std::to_string(i.height) + " x " +
                              std::to_string(i.width) + " pixels, " +
                              (s.data.empty() ? "built-in stroke digits" : "from " + s.data)},
      {"network", (s.network.unet ? "U-Net, " : "convolutions of width ") + network_text(s.network) + ", " +
                      grouped(parameters) + " parameters"},
      {"epochs", std::to_string(o.epochs) + ", " + std::to_string(steps_done) + " of " +
                     std::to_string(o.epochs * (i.images / o.batch_size)) + " steps done"},
      {"batch", std::to_string(o.batch_size)},
      {"learning rate", short_number(o.learning_rate) +
                            (o.warmup_steps > 0 ? ", reached after " + std::to_string(o.warmup_steps) + " steps" : "")},
      {"seed", std::to_string(o.seed)}};
  if (!s.objective.empty()) all.emplace_back("objective", s.objective);
  if (s.ahead > 0.0) all.emplace_back("loss compares at", "time t - " + short_number(s.ahead));
  if (o.ema_decay > 0.0)
    all.emplace_back("average of the parameters", "keeps " + short_number(o.ema_decay) + " at a step");
  if (o.max_grad_norm < 1e300) all.emplace_back("gradient's norm", "clipped at " + short_number(o.max_grad_norm));
  all.emplace_back("sampler", plan.sampling.sampler + ", " + std::to_string(plan.sampling.steps) + " steps, " +
                                  std::to_string(found.drawn.nfe) + " network evaluations an image");
  all.emplace_back("images drawn", std::to_string(plan.sampling.count) + " in " + seconds_text(found.sampling_seconds));
  all.emplace_back("threads", std::to_string(threads));
  return all;
}

// A judge's scores, below the distances by components.
void add_judgement(report& page, const std::vector<judged_set>& sets, const std::filesystem::path& judge) {
  const auto &held = sets.at(0), &drawn = sets.at(1), &noise = sets.at(2);
  page.add("<h3>In the features of a judge</h3>");
  page.add(number_line({{"training images", held.frechet}, {"drawn images", drawn.frechet}, {"noise", noise.frechet}}));
  const auto about = [](const judged_set& set) {
    return "kernel distance " + short_number(set.kernel) + " \u00b1 " + short_number(set.kernel_deviation) +
           ", precision " + softscore::detail::fixed(set.precision, 3) + ", recall " +
           softscore::detail::fixed(set.recall, 3) + ", inception score " + softscore::detail::fixed(set.inception, 2);
  };
  page.note("The same distance in the features of " + judge.filename().string() + ", a network that took no part. " +
            "Drawn images: " + about(drawn) + ". Training images: " + about(held) + ".");
}

report make_report(const model& m, const run_settings& settings, const results_plan& plan, const findings& found,
                   const training_record& record, std::size_t parameters, std::size_t steps_per_epoch,
                   std::size_t threads) {
  const bool blur_or_mask = settings.recipe == "blur" || settings.recipe == "mask";
  report page{plan.title.empty() ? "Digits out of " + std::string{settings.recipe == "ddpm" ? "noise" : settings.recipe}
                                 : plan.title,
              "A network of " + grouped(parameters) +
                  " parameters learned to undo this corruption: " + std::string{find_recipe(settings.recipe).about} +
                  ". Below is what it draws when it starts from nothing but corruption."};
  if (!record.test_losses.empty()) page.figure("test loss", short_number(record.test_losses.back()));
  if (found.score) page.figure("Frechet distance", short_number(found.score->images));
  page.figure("evaluations an image", std::to_string(found.drawn.nfe));
  page.figure("training steps", std::to_string(record.losses.size()));
  if (record.seconds > 0.0) page.figure("training time", seconds_text(record.seconds));
  page.figure("drawing time", seconds_text(found.sampling_seconds));

  page.section("Drawn and real", "Every image on the left was made from random numbers; none was chosen.");
  page.add_pair(found.samples, "drawn by the model", found.originals, "images that it learned from");

  page.section(
      "From x\u2081 to x\u2080",
      "Each pair of rows is one image on its way from time 1 to time 0: above, the corrupted image x\u209c; below "
      "it, the network's estimate of the clean image. The sampler follows the estimate only as far as one step "
      "allows.");
  page.add_picture(found.path, "time t, from the start to the finished image");

  page.section("What the corruption does",
               "Images of the data set at rising times. At time 1 " +
                   std::string{blur_or_mask ? "almost nothing of them is left: " : "nothing of them is left: "} +
                   m.describe(1.0) + ".");
  page.add_picture(found.corruption, "time t");

  page.section("Loss",
               "Mean over a batch at every step, and over all test images after every epoch, with one fixed draw of "
               "time and noise per test image.");
  page.add(loss_chart(record.losses, record.test_losses, steps_per_epoch));
  page.add("<p class=\"note\"><span class=\"key train\"></span>training<span class=\"key test\"></span>test</p>");

  if (found.score) {
    const auto& score = *found.score;
    page.section("How far from real",
                 "Frechet distance between " + std::to_string(score.count) + " images and " +
                     std::to_string(score.tests) + " test images, in the first " + std::to_string(score.components) +
                     " principal components of the training images. Training images that were held out show what a "
                     "perfect model would get; uniform noise shows what no model would.");
    page.add(
        number_line({{"held-out images", score.held_out}, {"drawn images", score.images}, {"noise", score.noise}}));
    if (!found.judged.empty()) add_judgement(page, found.judged, plan.judge);
  }

  page.section(
      "Has it learned by heart?",
      "Above, images that were drawn; below each, the training image that is nearest to it. Where the two differ, "
      "the model did not copy.");
  page.add_picture(found.nearest, "distance between the two, in pixel values");

  page.section("Settings",
               "Everything that made this page. The same settings give the same bits on any number of threads.");
  auto all = settings_rows(settings, plan, found, parameters, record.losses.size(), threads);
  if (record.seconds > 0.0) all.emplace_back("training time", seconds_text(record.seconds));
  if (!record.computed.empty()) all.emplace_back("computed", record.computed);
  page.table(all);
  return page;
}

}  // namespace

drawing draw_with_bar(softscore::tbb_backend& be, const model& m, const sampling_plan& plan,
                      const std::string& how_to_go_on, const sampling_watch& also) {
  softscore::progress_bar bar;
  const auto watch = [&](const sampling_view& v) {
    bar(softscore::sampling_progress<softscore::tbb_backend, float>{be, v.at, v.x, v.h, v.nfe, v.done, v.images});
    if (also) also(v);
    return !interrupted();
  };
  auto drawn = m.sample(be, plan, watch);
  if (drawn.stopped) throw stopped_by_user{"stopped while drawing, of which nothing was written; " + how_to_go_on};
  return drawn;
}

void require_results_writable(const std::filesystem::path& out) {
  for (const char* name : {"loss.csv", "samples.npy", "samples.png", "data.png", "trajectory.png", "corruption.png",
                           "nearest.png", "report.html"})
    require_writable(out / name);
}

void write_results(softscore::tbb_backend& be, model& m, const run_settings& settings, const results_plan& plan,
                   const softscore::data_set& data, const training_record& record) {
  findings found;
  found.images = data.training.extent();
  const std::size_t steps_per_epoch = found.images.images / settings.training.batch_size;
  softscore::write_file(plan.out / "loss.csv", loss_table(record, steps_per_epoch));

  const auto began = std::chrono::steady_clock::now();
  trajectory path{m.pixels(), plan.sampling.steps, 4};
  found.drawn = draw_with_bar(be, m, plan.sampling,
                              "the training is safe, go on with: digits show --checkpoint " + plan.checkpoint.string() +
                                  " --out " + plan.out.string(),
                              [&](const sampling_view& v) {
                                path.look(v);
                                return true;
                              });
  found.sampling_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  softscore::write_npy(plan.out / "samples.npy", found.drawn.images);

  found.samples = grid_of("samples", first_images(found.drawn.images, 64), 8);
  found.originals = grid_of("data", first_images(data.training.pixels, 64), 8);
  found.path = path.result(found.drawn.images);
  found.corruption = corruption_picture(be, m, data.test.pixels);
  found.nearest = nearest_picture(found.drawn.images, data.training.pixels);
  for (const auto* p : {&found.samples, &found.originals, &found.path, &found.corruption, &found.nearest})
    write_picture(plan.out, *p);
  if (can_score(plan.sampling.count, data)) {
    found.score = score_images(found.drawn.images, data);
    if (!plan.judge.empty()) found.judged = judge_images(found.drawn.images, data, plan.judge, {}, be.threads());
  }

  const auto page =
      make_report(m, settings, plan, found, record, m.network().parameter_count(), steps_per_epoch, be.threads());
  softscore::write_file(plan.out / "report.html", page.html());

  std::printf("%s: the report, and beside it pictures, losses and samples\n", (plan.out / "report.html").c_str());
  if (found.score)
    std::printf("Frechet distance %.4f (held-out images %.4f, noise %.4f)\n", found.score->images,
                found.score->held_out, found.score->noise);
  if (!found.judged.empty())
    std::printf("in the features of %s %.4f (training images %.4f, noise %.4f)\n", plan.judge.c_str(),
                found.judged[1].frechet, found.judged[0].frechet, found.judged[2].frechet);
}

}  // namespace digits
