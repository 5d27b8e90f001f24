#include "judging.hpp"

#include <algorithm>
#include <cstdio>
#include <span>
#include <string_view>
#include <type_traits>

#include <softscore/backend/tbb.hpp>
#include <softscore/core/error.hpp>
#include <softscore/io/file_error.hpp>
#include <softscore/io/safetensors.hpp>
#include <softscore/metric/feature_scores.hpp>
#include <softscore/nn/inception/weights.hpp>
#include <softscore/train/classifier_file.hpp>

#include "scoring.hpp"

namespace digits {
namespace {

judged_set row_of(std::string name, const softscore::judgement& of_images, const softscore::judgement& tests,
                  std::span<const softscore::class_label> labels) {
  const auto scores = softscore::score_features(of_images, tests);
  judged_set row{.name = std::move(name),
                 .frechet = scores.frechet,
                 .kernel = scores.kernel.mean,
                 .kernel_deviation = scores.kernel.deviation,
                 .precision = scores.neighborhood.precision,
                 .recall = scores.neighborhood.recall,
                 .inception = scores.inception.mean,
                 .inception_deviation = scores.inception.deviation};
  if (scores.extrapolated) row.extrapolated = scores.extrapolated->infinite;
  if (!labels.empty()) row.accuracy = softscore::accuracy(of_images.probabilities, labels);
  return row;
}

// The network's scores of the images, of the controls and of the test images; and how many it classifies correctly, if
// it is a classifier of these data.
template <class Net>
std::vector<judged_set> judged_by(const Net& net, const softscore::judging_options& options,
                                  const softscore::image_batch& images, const softscore::data_set& data,
                                  const std::vector<softscore::class_label>& asked, std::size_t threads) {
  constexpr bool names_classes = std::is_same_v<Net, softscore::classifier>;
  const auto drawn = clipped_images(images, data);
  const softscore::shape extent = softscore::extent_of(drawn);
  const auto held = hold_out(data, extent.images).held;
  const auto noise = noise_images(extent);
  softscore::tbb_backend backend{threads > 0 ? threads : softscore::tbb_backend{}.threads()};
  const auto answers = [&](const softscore::image_batch& set) {
    return softscore::judge(backend, net, softscore::as_view(set), options);
  };
  const auto tests = answers(data.test.pixels);
  std::vector<judged_set> rows;
  rows.push_back(row_of("training images", answers(held), tests, {}));
  rows.push_back(row_of("the images", answers(drawn), tests,
                        names_classes ? std::span{asked} : std::span<const softscore::class_label>{}));
  rows.push_back(row_of("uniform noise", answers(noise), tests, {}));
  judged_set own{.name = "the test images themselves"};
  const auto score =
      softscore::inception_score(tests.probabilities, std::min<std::size_t>(10, data.test.extent().images));
  own.inception = score.mean;
  own.inception_deviation = score.deviation;
  own.precision = own.recall = 1.0;
  if (names_classes && !data.test.labels.empty())
    own.accuracy = softscore::accuracy(tests.probabilities, std::span<const softscore::class_label>{data.test.labels});
  rows.push_back(own);
  return rows;
}

std::string cell(const char* form, double number) {
  char text[32];
  std::snprintf(text, sizeof text, form, number);
  return text;
}

}  // namespace

std::vector<judged_set> judge_images(const softscore::image_batch& images, const softscore::data_set& data,
                                     const std::filesystem::path& judge,
                                     const std::vector<softscore::class_label>& asked, std::size_t threads) {
  const softscore::safetensors_file file{judge};
  // An image that Inception evaluates takes 54 MB. The inception score is that of its authors' program.
  if (softscore::has_inception_v3(file))
    return judged_by(softscore::read_inception_v3(file, {.image = data.test.extent(), .bias = false}),
                     {.batch_size = 16}, images, data, asked, threads);
  if (!file.find_metadata("format"))
    softscore::reject("the network in " + softscore::detail::printable(file.path()), "unknown",
                      "a classifier of the program judge, or pytorch-fid's Inception");
  return judged_by(softscore::read_classifier(judge), {}, images, data, asked, threads);
}

void require_judge(const std::filesystem::path& judge, const softscore::shape& image) {
  if (softscore::has_inception_v3(softscore::safetensors_file{judge})) return;  // it takes images of any size
  const softscore::shape seen = softscore::read_classifier(judge).image().with_images(1);
  softscore::require(seen == image.with_images(1), "the shape of the images that " + judge.string() + " judges", seen,
                     "that of the data's images, " + softscore::detail::shown(image.with_images(1)));
}

double share_named_right(const softscore::image_batch& images, std::span<const softscore::class_label> labels,
                         const std::filesystem::path& judge, std::size_t threads) {
  softscore::tbb_backend backend{threads};
  const auto net = softscore::read_classifier(judge);
  return softscore::accuracy(softscore::judge(backend, net, softscore::as_view(images)).probabilities, labels);
}

std::string judged_table(const std::vector<judged_set>& sets) {
  char line[200];
  std::snprintf(line, sizeof line, "  %-27s %10s %10s %22s %9s %7s %15s %9s\n", "", "Frechet", "infinite",
                "kernel distance", "precision", "recall", "inception score", "accuracy");
  std::string text{line};
  for (const judged_set& set : sets) {
    std::snprintf(line, sizeof line, "  %-27s %10.4f %10s %10.5f +- %8.5f %9.3f %7.3f %7.2f +- %4.2f %9s\n",
                  set.name.c_str(), set.frechet, set.extrapolated ? cell("%.4f", *set.extrapolated).c_str() : "-",
                  set.kernel, set.kernel_deviation, set.precision, set.recall, set.inception, set.inception_deviation,
                  set.accuracy ? (cell("%.2f", 100.0 * *set.accuracy) + " %").c_str() : "-");
    text += line;
  }
  return text;
}

}  // namespace digits
