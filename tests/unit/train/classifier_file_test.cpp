// Files of classifiers: what is written is read, out of checkpoints of training too, and what is not a classifier is
// refused.
#include <softscore/train/classifier_file.hpp>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <string>

#include <softscore/softscore.hpp>

#include "catch.hpp"
#include "refusal.hpp"
#include "temporary_folder.hpp"

using namespace softscore;

TEST_CASE("a classifier comes back from its file, with its sizes", "[train]") {
  const temporary_folder folder;
  const auto path = folder.path() / "judge.safetensors";
  const classifier_sizes sizes{{4, 8}, 6, 3};
  const shape image{1, 2, 9, 8};
  classifier net{sizes, image};
  net.initialize(5);
  write_classifier(path, net, {{"seed", "5"}});
  const classifier read = read_classifier(path);
  CHECK(read.sizes() == sizes);
  CHECK(read.image() == image);
  CHECK(std::ranges::equal(read.parameters(), net.parameters()));
  CHECK(safetensors_file{path}.metadata("seed") == "5");
  CHECK_REFUSED(read_classifier<timed_classifier>(path),
                path.string() + ": the setting timed is no, but it must be yes");

  timed_classifier told{sizes, image};
  told.initialize(6);
  write_classifier(path, told);
  CHECK(std::ranges::equal(read_classifier<timed_classifier>(path).parameters(), told.parameters()));

  const auto digits = stroke_digit_set(64, 16, 1, 12);
  serial_backend be;
  clean_denoiser asked{classifier{{{4}, 6, 10}, {1, 1, 12, 12}}};
  training_options options{.epochs = 1, .batch_size = 32, .ema_decay = 0.9, .checkpoint = path};
  train(be, asked, corruption{identity{}, undamaged{}}, cross_entropy{}, digits, options, no_training_observer{}, {},
        {settings_of(asked.network()), {}});
  CHECK(std::ranges::equal(read_classifier(path).parameters(), asked.network().parameters()));
}

TEST_CASE("what is not a classifier is refused with its file", "[train]") {
  const temporary_folder folder;
  const auto path = folder.path() / "judge.safetensors";
  classifier net{{{4}, 6, 3}, {1, 1, 4, 4}};
  net.initialize(5);
  const auto with = [&](const std::string& key, const std::string& value) {
    auto settings = settings_of(net);
    settings[key] = value;
    const std::vector<float> flat(net.parameters().begin(), net.parameters().end());
    std::vector<named_tensor> tensors;
    for (const parameter& p : net.layout())
      tensors.emplace_back("param/" + p.name, p.sizes, std::span<const float>{flat.data() + p.offset, p.size()});
    write_safetensors(path, tensors, settings);
    return path;
  };
  CHECK_REFUSED(read_classifier(with("format", "another")), "the setting format");
  for (const char* const extent : {"1,4", "1,4,4,1"})
    CHECK_REFUSED(read_classifier(with("image", extent)),
                  "the setting image is " + std::string{extent} +
                      ", but it must be channels, height and width, with commas between them");
  CHECK_REFUSED(read_classifier(with("widths", "4;8")),
                "but it must be at most 16 whole numbers with commas between them");
  CHECK_REFUSED(read_classifier(with("widths", "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1")), "at most 16 whole numbers");
  const std::string claim = "the number of parameters that the settings claim is ";
  CHECK_REFUSED(read_classifier(with("widths", "4096,4096")), claim);
  // The dense layer: 6 features of 4 channels of 2048 x 2048 pixels. The first convolution.
  CHECK_REFUSED(read_classifier(with("image", "1,4096,4096")),
                claim + "1.00663494e+08, but it must be at most that of");
  CHECK_REFUSED(read_classifier(with("image", "4096,4,4")), claim + "147714, but it must be at most that of");
  for (const char* const key : {"features", "classes"})
    CHECK_REFUSED(read_classifier(with(key, "6,3")),
                  "the setting " + std::string{key} + " is 6,3, but it must be a whole number");
  CHECK_REFUSED(read_classifier(with("widths", "")), "the setting widths");
  CHECK_REFUSED(read_classifier(with("features", "5")), "the shape of the tensor param/features.weight");
  CHECK(read_classifier(with("seed", "1")).class_count() == 3);
}
