#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <string>

#include "catch.hpp"
#include "digits.hpp"
#include "idx_files.hpp"
#include "pack_gzip.hpp"

#include <softscore/core/xtensor.hpp>
#include <softscore/data/stroke_digits.hpp>
#include <softscore/io/npy.hpp>
#include <softscore/io/safetensors.hpp>

using Catch::Matchers::ContainsSubstring;

TEST_CASE("Every recipe trains, shows itself, is drawn from and scored") {
  const std::string recipe = GENERATE("ddpm", "eraser", "blur", "mask");
  const temporary_folder folder;
  const auto trained = digits(small_run(recipe, folder));
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  for (const char* name : {"report.html", "loss.csv", "checkpoint.safetensors", "samples.npy", "samples.png",
                           "data.png", "corruption.png", "trajectory.png", "nearest.png"})
    CHECK(std::filesystem::file_size(folder / name) > 0);

  // The page stands alone: nothing in it is fetched from elsewhere, and nothing in it runs.
  const std::string page = content_of(folder / "report.html");
  for (const char* part : {"<svg", "data:image/png;base64,", "Frechet distance", "network evaluations", "</html>"})
    CHECK_THAT(page, ContainsSubstring(part));
  for (const char* part : {"<script", "http://", "https://", "src=\"/", "nan", "inf\""})
    CHECK_THAT(page, !ContainsSubstring(part));
  const std::string losses = content_of(folder / "loss.csv");
  CHECK(losses.starts_with("step,epoch,loss,test_loss\n1,1,"));
  CHECK(std::count(losses.begin(), losses.end(), '\n') == 1 + 8);

  const std::string checkpoint = (folder / "checkpoint.safetensors").string();
  const auto shown = digits({"show", "--checkpoint", checkpoint});
  CHECK(shown.code == 0);
  CHECK_THAT(shown.out, ContainsSubstring(recipe));
  CHECK_THAT(shown.out, ContainsSubstring("8, of 2 epochs in batches of 32"));
  REQUIRE(digits({"sample", "--checkpoint", checkpoint, "--count", "4", "--steps", "5", "--out",
                  (folder / "again.npy").string()})
              .code == 0);
  CHECK((content_of(folder / "again.npy") == content_of(folder / "samples.npy")));
  REQUIRE(digits({"sample", "--checkpoint", checkpoint, "--count", "3", "--steps", "2", "--out",
                  (folder / "some.png").string()})
              .code == 0);
  CHECK(content_of(folder / "some.png").substr(1, 3) == "PNG");
  const auto scored = digits({"score", (folder / "samples.npy").string(), "--images", "128"});
  CHECK(scored.code == 0);
  CHECK_THAT(scored.out, ContainsSubstring("held-out training images"));
}

TEST_CASE("Training has the same bits on one, two and three threads") {
  const std::string recipe = GENERATE("ddpm", "eraser", "blur", "mask");
  const temporary_folder one, two, three;
  REQUIRE(digits(small_run(recipe, one, {"--threads", "1"})).code == 0);
  REQUIRE(digits(small_run(recipe, two, {"--threads", "2"})).code == 0);
  REQUIRE(digits(small_run(recipe, three, {"--threads", "3"})).code == 0);
  for (const char* name : {"checkpoint.safetensors", "samples.npy"}) {
    CHECK((content_of(two / name) == content_of(one / name)));
    CHECK((content_of(three / name) == content_of(one / name)));
  }
}

TEST_CASE("Sampling has the same bits in batches of 1, 7 and 64, and on any number of threads") {
  const std::string recipe = GENERATE("ddpm", "eraser", "blur", "mask");
  const temporary_folder folder;
  REQUIRE(digits(small_run(recipe, folder)).code == 0);
  const auto draw = [&](const std::string& batch, const std::string& threads) {
    const std::string file = (folder / "drawn.npy").string();
    const auto drawn =
        digits({"sample", "--checkpoint", (folder / "checkpoint.safetensors").string(), "--count", "64", "--steps", "4",
                "--seed", "3", "--sample-batch-size", batch, "--threads", threads, "--out", file});
    INFO(drawn.err);
    REQUIRE(drawn.code == 0);
    return content_of(file);
  };
  const std::string expected = draw("64", "2");
  CHECK(expected.size() == 64 * 12 * 12 * 4 + 128);
  CHECK((draw("1", "1") == expected));
  CHECK((draw("7", "3") == expected));
  CHECK((draw("7", "1") == expected));
}

TEST_CASE("The bar counts all images, however small the batches, and writes a line only now and then") {
  const temporary_folder folder;
  REQUIRE(digits(small_run("ddpm", folder)).code == 0);
  const auto drawn = digits({"sample", "--checkpoint", (folder / "checkpoint.safetensors").string(), "--count", "64",
                             "--steps", "2", "--sample-batch-size", "1", "--out", (folder / "drawn.npy").string()});
  REQUIRE(drawn.code == 0);
  CHECK_THAT(drawn.err, ContainsSubstring("100 %  sampling image 64 to 64 of 64  step 2/2"));
  // The first line and the last, and one every ten seconds.
  CHECK(std::count(drawn.err.begin(), drawn.err.end(), '\n') < 8);
}

TEST_CASE("A quick demo does all of it") {
  const temporary_folder folder;
  const auto demo = digits({"demo", "--quick", "--out", (folder / "demo").string(), "--threads", "2"});
  INFO(demo.err);
  REQUIRE(demo.code == 0);
  CHECK(std::filesystem::file_size(folder / "demo/report.html") > 10000);
}

TEST_CASE("A quick demo on IDX files, plain or packed") {
  const temporary_folder folder;
  folder.put("train-images-idx3-ubyte", idx_images_file(200, 28, 28));
  folder.put("train-labels-idx1-ubyte", idx_labels_file(200));
  folder.put("t10k-images-idx3-ubyte.gz", pack_gzip(idx_images_file(40, 28, 28)));
  folder.put("t10k-labels-idx1-ubyte.gz", pack_gzip(idx_labels_file(40)));
  const auto demo = digits(
      {"demo", "--quick", "--data", folder.path().string(), "--out", (folder / "demo").string(), "--threads", "2"});
  INFO(demo.err);
  REQUIRE(demo.code == 0);
  CHECK(std::filesystem::file_size(folder / "demo/report.html") > 10000);
  CHECK(std::filesystem::exists(folder / "demo/checkpoint.safetensors"));
}

TEST_CASE("Held-out images stand for all, whatever the order of the file") {
  // Images of one gray each, from black to white: 12 x gray is their only component, of deviation 12 / sqrt(12) = 3.46.
  const auto grays = [](std::uint32_t count) {
    std::string file = idx_words({0x803, count, 12, 12});
    for (std::uint32_t i = 0; i < count; ++i) file += std::string(144, static_cast<char>(255 * i / (count - 1)));
    return file;
  };
  const temporary_folder folder;
  folder.put("train-images-idx3-ubyte", grays(400));
  folder.put("train-labels-idx1-ubyte", idx_labels_file(400));
  folder.put("t10k-images-idx3-ubyte", grays(100));
  folder.put("t10k-labels-idx1-ubyte", idx_labels_file(100));
  auto gray = softscore::make_tensor({40, 1, 12, 12});
  gray.fill(0.5f);
  softscore::write_npy(folder / "gray.npy", gray);
  const auto scored = digits({"score", (folder / "gray.npy").string(), "--data", folder.path().string()});
  INFO(scored.err);
  REQUIRE(scored.code == 0);
  const std::string before = "held-out training images";
  const double held_out = std::stod(scored.out.substr(scored.out.find(before) + before.size()));
  // 40 at random: four standard errors of the mean, 4 x 3.46 / sqrt(40) = 2.2, and of the deviation, 1, squared. The
  // last 40 would be at (12 x 0.45)^2 = 29 and more.
  CHECK(held_out < 2.2 * 2.2 + 1.0);
}

TEST_CASE("A judge's features stand beside principal components") {
  const temporary_folder folder;
  const auto drawn = softscore::stroke_digits(40, 7);
  softscore::write_npy(folder / "drawn.npy", drawn.pixels);
  const std::vector<std::string> words{"score", (folder / "drawn.npy").string(), "--images", "400", "--features"};
  const auto with = [&](const std::string& judge) {
    auto all = words;
    all.push_back(judge);
    return digits(all);
  };
  const auto scored = with(JUDGE_FILE);
  INFO(scored.err);
  REQUIRE(scored.code == 0);
  CHECK_THAT(scored.out, ContainsSubstring("principal components"));
  const std::string table = scored.out.substr(scored.out.find("in the features of"));
  const auto frechet = [&](const std::string& row) { return std::stod(table.substr(table.find(row) + row.size())); };
  // Digits of other seeds are like digits, noise is not: by far, whatever the judge has learned.
  CHECK(frechet("the images") < 0.2 * frechet("uniform noise"));
  CHECK(frechet("training images") < 0.2 * frechet("uniform noise"));
  // It was trained on MNIST, and knows 96 % of the built-in digits: its file is whole and is read right.
  const std::string before = "the test images themselves", row = table.substr(table.find(before));
  CHECK(std::stod(row.substr(row.rfind('%') - 7)) > 85.0);

  const auto refused = with((folder / "drawn.npy").string());
  CHECK(refused.code == 2);
  CHECK_THAT(refused.err, ContainsSubstring("drawn.npy"));
  // A few tensors under a network's names, and under none.
  const std::vector<float> one{1};
  softscore::write_safetensors(folder / "part.safetensors", {{"Conv2d_1a_3x3.conv.weight", {1}, one}});
  CHECK_THAT(with((folder / "part.safetensors").string()).err, ContainsSubstring("those of pytorch-fid's Inception"));
  softscore::write_safetensors(folder / "other.safetensors", {{"conv1.weight", {1}, one}});
  CHECK_THAT(with((folder / "other.safetensors").string()).err, ContainsSubstring("is unknown, but it must be"));

  // The report has both, and a judge of other images is refused before training.
  REQUIRE(digits(small_run("mask", folder, {"--side", "28", "--features", JUDGE_FILE})).code == 0);
  CHECK_THAT(content_of(folder / "report.html"), ContainsSubstring("In the features of a judge"));
  const temporary_folder other;
  const auto small = digits(small_run("mask", other, {"--features", JUDGE_FILE}));
  CHECK(small.code == 2);
  CHECK_THAT(small.err, ContainsSubstring("that of the data's images, 1 x 1 x 12 x 12"));
  CHECK(!std::filesystem::exists(other / "checkpoint.safetensors"));
}

TEST_CASE("A model of noise restores holes and coarse pixels by every method") {
  const temporary_folder folder;
  REQUIRE(digits(small_run("ddpm", folder, {"--side", "28"})).code == 0);
  std::vector<std::string> words{RESTORE_PROGRAM, (folder / "checkpoint.safetensors").string(),
                                 "--count",       "5",
                                 "--shown",       "2",
                                 "--steps",       "6",
                                 "--judge",       JUDGE_FILE,
                                 "--out",         (folder / "restored").string()};
  const auto restored = run_program(words);
  INFO(restored.err);
  REQUIRE(restored.code == 0);
  for (const std::string method : {"projection", "ddrm", "diffpir", "pigdm", "dps", "repaint"})
    CHECK_THAT(restored.out, ContainsSubstring(method));
  CHECK(restored.out.find("nan") == std::string::npos);
  // Two problems, the truth, what was measured, and six methods.
  const std::string lines = content_of(folder / "restored/restored.csv");
  CHECK(lines.starts_with("problem,method,evaluations,psnr,ssim,named_right\nin-painting,truth,0,inf,1.00000,"));
  CHECK(std::count(lines.begin(), lines.end(), '\n') == 1 + 2 * 8);
  const auto psnr_of = [&](const std::string& beginning) {
    const auto at = lines.find(beginning);
    REQUIRE(at != std::string::npos);
    return std::stod(lines.substr(at + beginning.size()));
  };
  // A hole is gray, half of the range away: 6 decibels over a quarter of the pixels, whatever the digits are, make 12.
  CHECK(std::abs(psnr_of("in-painting,measured,0,") - 12.0) < 1.5);
  CHECK(psnr_of("super-resolution,measured,0,") > 10.0);
  CHECK(std::filesystem::exists(folder / "restored/in-painting.png"));
  CHECK(std::filesystem::exists(folder / "restored/super-resolution.png"));
}

TEST_CASE("A blur is drawn from one color where asked, and other recipes refuse") {
  const temporary_folder folder;
  REQUIRE(digits(small_run("blur", folder)).code == 0);
  const auto draw = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words{"sample",
                                   "--checkpoint",
                                   (folder / "checkpoint.safetensors").string(),
                                   "--count",
                                   "4",
                                   "--steps",
                                   "5",
                                   "--out",
                                   (folder / "drawn.npy").string()};
    words.insert(words.end(), more.begin(), more.end());
    const auto drawn = digits(words);
    INFO(drawn.err);
    REQUIRE(drawn.code == 0);
    return content_of(folder / "drawn.npy");
  };
  const auto usual = draw({}), color = draw({"--prior", "color"}), left = draw({"--prior", "corrupted_color"});
  CHECK((usual == content_of(folder / "samples.npy")));
  CHECK((color != usual && left != usual && left != color));
  // They are one sampler while the noise does not change; with 20 steps it does in two of them.
  CHECK((draw({"--sampler", "alternating", "--steps", "20"}) != draw({"--sampler", "ddim", "--steps", "20"})));

  const std::string out = (folder / "no.npy").string(), checkpoint = (folder / "checkpoint.safetensors").string();
  CHECK_THAT(digits({"sample", "--checkpoint", checkpoint, "--prior", "red", "--out", out}).err,
             ContainsSubstring("--prior is red, but it must be color or corrupted_color"));
  CHECK_THAT(digits({"sample", "--checkpoint", checkpoint, "--data", "x", "--out", out}).err,
             ContainsSubstring("--data is x, but it must be left out"));
  const temporary_folder noise;
  REQUIRE(digits(small_run("ddpm", noise)).code == 0);
  CHECK_THAT(
      digits({"sample", "--checkpoint", (noise / "checkpoint.safetensors").string(), "--prior", "color", "--out", out})
          .err,
      ContainsSubstring("--prior is color, but it must be left out"));
}

TEST_CASE("Help explains every command") {
  const auto all = digits({"--help"});
  CHECK(all.code == 0);
  for (const std::string command : {"train", "resume", "sample", "show", "score", "demo"}) {
    CHECK_THAT(all.out, ContainsSubstring(command));
    const auto one = digits({command, "--help"});
    CHECK(one.code == 0);
    CHECK_THAT(one.out, ContainsSubstring("--"));
  }
}

TEST_CASE("A soft recipe trains by the naive loss where asked, and its checkpoint goes on so") {
  const std::string recipe = GENERATE("blur", "mask");
  const temporary_folder usual, soft, naive, folder;
  REQUIRE(digits(small_run(recipe, usual)).code == 0);
  REQUIRE(digits(small_run(recipe, soft, {"--objective", "soft"})).code == 0);
  REQUIRE(digits(small_run(recipe, naive, {"--objective", "naive"})).code == 0);
  REQUIRE(digits(small_run(recipe, folder, {"--objective", "naive", "--epochs", "1"})).code == 0);
  CHECK((content_of(soft / "samples.npy") == content_of(usual / "samples.npy")));
  CHECK((content_of(naive / "samples.npy") != content_of(usual / "samples.npy")));
  const std::string checkpoint = (folder / "checkpoint.safetensors").string();
  REQUIRE(digits({"resume", "--checkpoint", checkpoint, "--epochs", "2", "--count", "4", "--steps", "5"}).code == 0);
  CHECK((content_of(folder / "samples.npy") == content_of(naive / "samples.npy")));
  CHECK_THAT(digits({"show", "--checkpoint", checkpoint}).out, ContainsSubstring("naive"));
  CHECK_THAT(digits({"train", "--help"}).out, ContainsSubstring("--objective"));
}

TEST_CASE("A U-Net trains in a recipe, goes on from its checkpoint to the same bits, and is drawn from") {
  const std::string recipe = GENERATE("ddpm", "blur");
  const temporary_folder whole, parts;
  const std::vector<std::string> network{"--network", "unet:8,16"};
  REQUIRE(digits(small_run(recipe, whole, network)).code == 0);
  REQUIRE(digits(small_run(recipe, parts, {"--network", "unet:8,16", "--epochs", "1", "--threads", "1"})).code == 0);
  const std::string checkpoint = (parts / "checkpoint.safetensors").string();
  REQUIRE(digits({"resume", "--checkpoint", checkpoint, "--epochs", "2", "--count", "4", "--steps", "5"}).code == 0);
  CHECK((content_of(parts / "samples.npy") == content_of(whole / "samples.npy")));
  CHECK_THAT(digits({"show", "--checkpoint", checkpoint}).out, ContainsSubstring("unet:8,16"));

  const temporary_folder refused;
  const auto three = digits(small_run(recipe, refused, {"--network", "unet:8,8,8,8"}));
  CHECK(three.code == 2);
  CHECK_THAT(three.err, ContainsSubstring("12"));
  CHECK(digits(small_run(recipe, refused, {"--network", "unet:7"})).code == 2);
}

TEST_CASE("A searched schedule is trained under, and the checkpoint carries it along") {
  const temporary_folder folder, straight, usual;
  const std::string file =
      folder
          .put("schedule.json",
               "{\"format\": \"softscore schedule 1\", \"points\": [[0, 0, 0.01], [0.2, 0.25, 0.1], "
               "[1, 3.125, 0.1]]}")
          .string();
  REQUIRE(digits(small_run("blur", usual)).code == 0);
  REQUIRE(digits(small_run("blur", straight, {"--schedule", file})).code == 0);
  REQUIRE(digits(small_run("blur", folder, {"--schedule", file, "--epochs", "1"})).code == 0);
  // The file is needed only once.
  std::filesystem::remove(file);
  const std::string checkpoint = (folder / "checkpoint.safetensors").string();
  const auto shown = digits({"show", "--checkpoint", checkpoint});
  CHECK_THAT(shown.out, ContainsSubstring("level 3.12, noise 0.1"));
  REQUIRE(digits({"resume", "--checkpoint", checkpoint, "--epochs", "2", "--count", "4", "--steps", "5"}).code == 0);
  CHECK((content_of(folder / "samples.npy") == content_of(straight / "samples.npy")));
  CHECK((content_of(folder / "samples.npy") != content_of(usual / "samples.npy")));

  const auto refused = [&](const std::string& recipe, const std::string& text, const char* sentence) {
    const std::string name = folder.put("other.json", text).string();
    const auto end = digits(small_run(recipe, folder, {"--schedule", name}));
    CHECK(end.code == 2);
    CHECK_THAT(end.err, ContainsSubstring(sentence));
  };
  refused("ddpm", "", "other.json, but it must be left out, for the recipe ddpm has a schedule of its own");
  refused("mask", "", "other.json: the text is broken at byte 0, but it must be a JSON object");
  refused("mask", "{\"format\": \"softscore schedule 1\", \"points\": [[0, 1, 0.1], [1, 0, 0.1]]}",
          "level of the schedule is 0, but it must be finite, at least 0 and at least the level before it");
}
