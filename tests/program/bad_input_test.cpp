#include <filesystem>
#include <string>
#include <vector>

#include "catch.hpp"
#include "digits.hpp"
#include "file_size_limit.hpp"

using Catch::Matchers::ContainsSubstring;

namespace {

using words = std::vector<std::string>;

// The program refuses with exit code 2 and one sentence on standard error that holds `part`.
void refused(const words& command, const std::string& part, const std::string& out = "") {
  std::string shown;
  for (const auto& word : command) shown += word + " ";
  CAPTURE(shown);
  const auto end = digits(command, out);
  CAPTURE(end.err, end.signal);
  CHECK(end.code == 2);
  const auto last = end.err.rfind("digits: ");
  REQUIRE(last != std::string::npos);
  CHECK(end.err.find('\n', last) == end.err.size() - 1);
  CHECK_THAT(end.err.substr(last), ContainsSubstring(part));
}

// One trained checkpoint for all cases that need one.
const temporary_folder& trained() {
  static const temporary_folder folder;
  static const bool done = digits(small_run("blur", folder)).code == 0;
  REQUIRE(done);
  return folder;
}
std::string checkpoint() { return (trained() / "checkpoint.safetensors").string(); }

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  REQUIRE(from.size() == to.size());
  return text.replace(at, from.size(), to);
}

// The last eight bytes of a tensor of a safetensors file set to ones.
std::string ruined(std::string file, const std::string& name) {
  const auto entry = file.find('"' + name + '"');
  REQUIRE(entry != std::string::npos);
  const std::string key = "\"data_offsets\":[";
  const auto end = file.find(',', file.find(key, entry)) + 1;
  std::size_t header = 0;
  for (int byte = 7; byte >= 0; --byte) header = 256 * header + static_cast<unsigned char>(file[std::size_t(byte)]);
  return file.replace(8 + header + std::stoul(file.substr(end)) - 8, 8, 8, '\xFF');
}

}  // namespace

TEST_CASE("Wrong words and values are answered by one sentence") {
  const temporary_folder folder;
  const std::string out = folder.path().string();
  struct row {
    words command;
    const char* sentence;
  };
  const std::vector<row> table{
      {{}, "A subcommand is required"},
      {{"paint"}, "A subcommand is required"},
      {{"train", "--color", "3"}, "--color"},
      {{"train", "--epochs"}, "--epochs"},
      {{"train", "--epochs", "0"}, "--epochs is 0, but it must be a whole number from 1 to 1000000"},
      {{"train", "--epochs", "-1"}, "--epochs is -1, but it must be"},
      {{"train", "--epochs", "1.5"}, "--epochs is 1.5, but it must be"},
      {{"train", "--epochs", "many"}, "--epochs is many, but it must be"},
      {{"train", "--epochs", "99999999999999999999999"}, "--epochs is 99999999999999999999999, but it must be"},
      {{"train", "--batch-size", "0"}, "--batch-size is 0, but it must be"},
      {{"train", "--batch-size", "200", "--images", "100", "--out", out},
       "--batch-size is 200, but it must be at most the number of training images, 100"},
      {{"train", "--learning-rate", "0"}, "--learning-rate is 0, but it must be a number above 0"},
      {{"train", "--learning-rate", "nan"}, "--learning-rate is nan, but it must be"},
      {{"train", "--learning-rate", "inf"}, "learning_rate is inf, but it must be a positive number"},
      {{"train", "--learning-rate", "fast"}, "--learning-rate is fast, but it must be"},
      {{"train", "--seed", "-3"}, "--seed is -3, but it must be"},
      {{"train", "--threads", "0"}, "--threads is 0, but it must be a whole number from 1 to 4096"},
      {{"train", "--side", "4"}, "--side is 4, but it must be a whole number from 12 to 256"},
      {{"train", "--images", "0"}, "--images is 0, but it must be"},
      {{"train", "--checkpoint-every", "0"}, "--checkpoint-every is 0, but it must be"},
      {{"train", "--count", "-2"}, "--count is -2, but it must be"},
      {{"train", "--steps", "0"}, "--steps is 0, but it must be"},
      {{"train", "--minutes", "-1"}, "--minutes is -1, but it must be a number above 0"},
      {{"train", "--recipe", "soup"}, "--recipe is soup, but it must be one of ddpm, eraser, blur, mask"},
      {{"train", "--objective", "best"}, "--objective is best, but it must be soft or naive"},
      {{"train", "--recipe", "ddpm", "--objective", "soft"},
       "--objective is soft, but it must be left out, for the recipe ddpm has a loss of its own"},
      {{"train", "--recipe", "eraser", "--objective", "naive"},
       "--objective is naive, but it must be left out, for the recipe eraser has a loss of its own"},
      {{"train", "--recipe", "mask", "--objective", "naive", "--ahead", "0.1"},
       "--ahead is 0.1, but it must be left out, for the naive loss does not look ahead"},
      {{"train", "--network", "huge"}, "--network is huge, but it must be small, large or up to 16 widths"},
      {{"train", "--network", "8,,8"}, "--network is 8,,8, but it must be"},
      {{"train", "--network", "8,0"}, "--network is 8,0, but it must be"},
      {{"train", "--network", "100000"}, "--network is 100000, but it must be"},
      {{"train", "--sampler", "magic", "--images", "200", "--out", out},
       "--sampler is magic, but it must be one that fits the recipe blur: "},
      {{"train", "--data", "/nowhere"}, "/nowhere must have the file train-"},
      {{"sample", "--out", out + "/x.npy"}, "--checkpoint is required"},
      {{"sample", "--checkpoint", checkpoint()}, "--out is required"},
      {{"sample", "--checkpoint", checkpoint(), "--out", "x.jpg"},
       "--out is x.jpg, but it must be a file that ends in .npy or .png"},
      {{"sample", "--checkpoint", "/nowhere.safetensors", "--out", out + "/x.npy"},
       "/nowhere.safetensors cannot be read: No such file"},
      {{"sample", "--checkpoint", out, "--out", out + "/x.npy"}, "cannot be read: Is a directory"},
      {{"sample", "--checkpoint", checkpoint(), "--out", "/proc/none/x.npy"}, "cannot be used as a folder"},
      {{"sample", "--checkpoint", checkpoint(), "--out", "/proc/x.npy"}, "/proc/x.npy cannot be written"},
      {{"sample", "--checkpoint", checkpoint(), "--sample-batch-size", "0", "--out", out + "/x.npy"},
       "--sample-batch-size is 0"},
      {{"resume", "--checkpoint", checkpoint(), "--epochs", "1"},
       "--epochs is 1, but it must be at least the 2 of the checkpoint"},
      {{"train", "--side", "256", "--images", "9000000", "--out", out},
       "--images is 9000000, but it must be at most 16384 stroke digits of side 256"},
      // 4 (28 28 (2 1024 + 2 256 + 6) 1000000 + 28 28 1000000) bytes.
      {{"train", "--network", "256,256,256,256", "--batch-size", "1000000", "--images", "1000000", "--out", out},
       "--batch-size is 1000000, but it must be small enough for the memory: with this network and 1000000 images a "
       "step "
       "takes at least 8050112000000 bytes, and there are "},
      {{"resume"}, "--checkpoint is required"},
      {{"score"}, "FILE is required"},
      {{"score", checkpoint()}, "the beginning is not NumPy's"},
      {{"score", (trained() / "samples.npy").string(), "--images", "5"},
       "the number of images to score is 4, but it must be"},
      {{"train", "--learning-rate", " 1"}, "--learning-rate is  1, but it must be a number above 0"},
      {{"train", "--learning-rate", "0x1p3"}, "--learning-rate is 0x1p3, but it must be"},
      {{"train", "--out=", "--overwrite"}, "--out is --overwrite, but it must be given a value, not the next flag"},
      {{"train", "--recipe", "so\n\x1b[31mup"}, "--recipe is so??[31mup, but it must be one of"},
      {{"train", "--data", out, "--side", "20"}, "--side is 20, but it must be left out, for the images in --data"},
      {{"show", "--checkpoint", checkpoint(), "--recipe", "mask"},
       "--recipe is mask, but it must be left out, for the checkpoint decides it"},
      {{"show", "--checkpoint", checkpoint(), "--images", "7"}, "--images is 7, but it must be left out"},
      {{"show", "--checkpoint", checkpoint(), "--count", "7"},
       "--count is 7, but it must be left out, for without --out nothing is drawn"},
      {{"show", "--checkpoint", checkpoint(), "--sampler", "magic"},
       "--sampler is magic, but it must be one that fits"},
      {{"show", "--recipe", "mask", "--steps", "7"},
       "--steps is 7, but it must be left out, for without a checkpoint nothing is drawn"},
      {{"demo", "--quick", "--out", trained().path().string()},
       "it must be a file that is not there yet, unless --overwrite is given"},
      {{"demo", "--minutes", "soon"}, "--minutes is soon, but it must be"},
      {{"demo", "--quick", "--out", checkpoint()}, "cannot be used as a folder"},
  };
  for (const auto& [command, sentence] : table) refused(command, sentence);
}

TEST_CASE("A sampler that a recipe forbids is refused with the reason and those that fit") {
  for (const char* sampler : {"ddpm", "ddim", "naive", "momentum", "probability_flow", "heun"}) {
    const temporary_folder folder;
    refused(small_run("eraser", folder, {"--sampler", sampler}),
            "it must be one that fits the recipe eraser: cold, naive_cold (this sampler needs a score, and this "
            "corruption has none, for its noise is not normal)");
  }
  refused({"sample", "--checkpoint", checkpoint(), "--sampler", "ddpm", "--out", (trained() / "x.npy").string()},
          "--sampler is ddpm, but it must be one that fits the recipe blur: ddim, naive, momentum, heun, cold, "
          "probability_flow, alternating (this sampler needs a signal that is a number times the image, and this "
          "corruption's is not)");
}

TEST_CASE("A checkpoint that is none, or not this program's, is refused") {
  const temporary_folder folder;
  const std::string good = content_of(checkpoint());
  const auto with = [&](const std::string& content, const std::string& part) {
    const auto file = folder.put("bad.safetensors", content).string();
    refused({"sample", "--checkpoint", file, "--out", (folder / "x.npy").string()}, part);
    refused({"resume", "--checkpoint", file}, part);
    refused({"show", "--checkpoint", file}, part);
  };
  with("", "the size is 0");
  with("this is not a checkpoint at all", "the length of the header");
  with(good.substr(0, good.size() / 2), "bad.safetensors");
  with(good + "x", "the data is");
  with(replaced(good, "softscore digits 1", "softscore digits 9"), "is no checkpoint of this program");
  with(replaced(good, "\"recipe\":\"blur\"", "\"recipe\":\"soup\""), "the setting recipe is soup");
  with(replaced(good, "\"objective\":\"soft\"", "\"objective\":\"best\""),
       "the setting objective is best, but it must be soft or naive");
  with(replaced(good, "\"recipe\":\"blur\"", "\"recipe\":\"ddpm\""),
       "the setting objective is soft, but it must be left out for this recipe");
  with(replaced(good, "\"network\":\"16\"", "\"network\":\"17\""), "param/");
  with(replaced(good, "\"network\":\"16\"", "\"network\":\"99\""), "is [16, 1, 7, 7], but it must be [99, 1, 7, 7]");
  with(replaced(good, "\"height\":\"12\"", "\"height\":\"13\""), "bad.safetensors");
  with(replaced(good, "\"epochs\":\"2\"", "\"epochs\":\"0\""), "the setting epochs is 0, but it must be");
  with(replaced(good, "\"batch_size\":\"32\"", "\"batch_size\":\"-2\""),
       "the setting batch_size is -2, but it must be");
  with(replaced(good, "prior/mean", "prior/meen"), "must have a tensor prior/mean");
  // The numbers themselves: the last eight bytes of every kind of array become ones that are no number.
  for (const char* name : {"prior/modes", "param/final.weight", "average/final.weight", "second_moment/final.weight"})
    with(ruined(good, name), std::string{"is -nan, but it must be finite"});
  with(replaced(good, "second_moment/", "second_momant/"), "must have a tensor second_moment/");
}

TEST_CASE("A finished run is not overwritten, and other images are not trained on") {
  const std::string before = content_of(checkpoint());
  refused(small_run("blur", trained()), "a file that is not there yet, unless --overwrite is given");
  CHECK((content_of(checkpoint()) == before));
  const temporary_folder folder;
  const auto file = folder.put("c.safetensors", replaced(before, "\"images\":\"128\"", "\"images\":\"127\"")).string();
  refused({"resume", "--checkpoint", file}, "the fingerprint of the images is");
  refused({"show", "--checkpoint", file, "--out", (folder / "o").string()}, "the fingerprint of the images is");
}

TEST_CASE("A loss that is not finite stops the run, names step and batch and keeps the last good checkpoint") {
  const temporary_folder folder;
  // Adam's steps are as long as the rate; the clipping and the warm-up of the soft recipes do not change that.
  refused(small_run("ddpm", folder, {"--learning-rate", "1e30", "--checkpoint-every", "1"}), "batch 2 of epoch 1) is");
  const temporary_folder other;
  refused(small_run("ddpm", other, {"--learning-rate", "1e30"}), "but it must be finite; there is no checkpoint yet");
  CHECK_FALSE(std::filesystem::exists(other / "checkpoint.safetensors"));
  const auto shown = digits({"show", "--checkpoint", (folder / "checkpoint.safetensors").string()});
  CHECK(shown.code == 0);
  CHECK_THAT(shown.out, ContainsSubstring("1, of 2 epochs"));
}

TEST_CASE("Images with a pixel that is no number are not scored") {
  const temporary_folder folder;
  const auto images = content_of(trained() / "samples.npy");
  const auto file = folder.put("n.npy", images.substr(0, images.size() - 4) + std::string(4, '\xFF')).string();
  refused({"score", file, "--images", "128"}, "n.npy is -nan, but it must be finite");
}

TEST_CASE("A report that could not be written stops a run before it trains") {
  const temporary_folder folder;
  std::filesystem::create_directory(folder / "report.html");
  refused(small_run("blur", folder), "report.html cannot be written: Is a directory");
  CHECK_FALSE(std::filesystem::exists(folder / "checkpoint.safetensors"));
}

TEST_CASE("A full disk is told, and what was there before stays") {
  refused({"sample", "--checkpoint", checkpoint(), "--count", "2", "--steps", "2", "--out", "/dev/full"},
          "/dev/full cannot be written: No space left on device");
  refused({"show", "--checkpoint", checkpoint()}, "the standard output cannot be written", "/dev/full");
  const temporary_folder folder;
  refused(small_run("ddpm", folder, {"--checkpoint", "/dev/full"}),
          "/dev/full cannot be written: No space left on device");
}

TEST_CASE("A disk that fills after a good checkpoint costs only what came after it") {
  const temporary_folder folder, whole;
  REQUIRE(digits(small_run("blur", whole)).code == 0);
  REQUIRE(digits(small_run("blur", folder, {"--epochs", "1"})).code == 0);
  const std::string good = content_of(folder / "checkpoint.safetensors");
  REQUIRE(good.size() > 8192);
  const words more{"resume",
                   "--checkpoint",
                   (folder / "checkpoint.safetensors").string(),
                   "--epochs",
                   "2",
                   "--count",
                   "4",
                   "--steps",
                   "5"};
  {
    // The limit on file sizes, which the program inherits, stands in for the disk.
    const file_size_limit full{4096};
    refused(more, "checkpoint.safetensors cannot be written: File too large");
  }
  CHECK((content_of(folder / "checkpoint.safetensors") == good));
  REQUIRE(digits(more).code == 0);
  CHECK((content_of(folder / "checkpoint.safetensors") == content_of(whole / "checkpoint.safetensors")));
}
