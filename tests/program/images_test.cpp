#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "idx_files.hpp"
#include "png_files.hpp"
#include "process.hpp"

using Catch::Matchers::ContainsSubstring;

namespace {

using words = std::vector<std::string>;

// The command line of examples/images, whose place the build gives.
words images_command(words all) {
  all.insert(all.begin(), IMAGES_PROGRAM);
  return all;
}
ending images(const words& all) { return run_program(images_command(all)); }

words operator+(words all, const words& more) {
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

// A gray PNG with a bright bar that lies across or stands, at a place of its own.
std::string bar(int side, int place, bool stands) {
  std::string lines;
  for (int y = 0; y < side; ++y) {
    lines += '\0';
    for (int x = 0; x < side; ++x) lines += static_cast<char>((stands ? x : y) % side / 3 == place % 5 ? 0xE0 : 0x20);
  }
  const auto size = static_cast<std::uint32_t>(side);
  return png_file({size, size, 8, 0}, lines);
}

// Sub-folders "across" and "standing" of 24 images each.
void put_bars(const temporary_folder& folder) {
  for (const std::string name : {"across", "standing"}) {
    std::filesystem::create_directory(folder / name);
    for (int i = 0; i < 24; ++i)
      folder.put(name + "/" + std::to_string(100 + i) + ".png", bar(16, i, name == "standing"));
  }
}

const temporary_folder& bars() {
  static const temporary_folder folder;
  static const bool done = (put_bars(folder), true);
  REQUIRE(done);
  return folder;
}

// Flags of a run that takes a second: two steps an epoch.
words small_run(const std::filesystem::path& data, const temporary_folder& out, const words& more = {}) {
  return words{"train",
               "--data",
               data.string(),
               "--widths",
               "8,16",
               "--layers",
               "1",
               "--batch-size",
               "16",
               "--epochs",
               "2",
               "--test-images",
               "4",
               "--warmup-steps",
               "2",
               "--count",
               "4",
               "--steps",
               "3",
               "--threads",
               "2",
               "--out",
               out.path().string()} +
         more;
}

std::string checkpoint_in(const temporary_folder& folder) { return (folder / "checkpoint.safetensors").string(); }

// One trained network with labels for all cases that need one.
const temporary_folder& trained() {
  static const temporary_folder folder;
  static const ending done = images(small_run(bars().path(), folder));
  INFO(done.err);
  REQUIRE(done.code == 0);
  return folder;
}

std::string drawn(const std::string& from, const words& more) {
  const temporary_folder folder;
  const auto end = images(
      words{"sample", "--checkpoint", from, "--steps", "3", "--count", "4", "--out", (folder / "x.npy").string()} +
      more);
  INFO(end.err);
  REQUIRE(end.code == 0);
  return content_of(folder / "x.npy");
}

// The program refuses with exit code 2 and one sentence on standard error that holds `part`.
void refused(const words& command, const std::string& part) {
  std::string shown;
  for (const auto& word : command) shown += word + " ";
  CAPTURE(shown);
  const auto end = images(command);
  CAPTURE(end.err);
  CHECK(end.code == 2);
  CHECK(end.err.starts_with("images: "));
  CHECK(std::count(end.err.begin(), end.err.end(), '\n') == 1);
  CHECK_THAT(end.err, ContainsSubstring(part));
}

}  // namespace

TEST_CASE("A U-Net learns from sub-folders of images, shows itself and draws by label") {
  const auto& folder = trained();
  for (const char* name :
       {"report.html", "loss.csv", "samples.npy", "samples.png", "data.png", "trajectory.png", "nearest.png"})
    CHECK(std::filesystem::file_size(folder / name) > 0);
  const std::string page = content_of(folder / "report.html");
  for (const char* part : {"<svg", "data:image/png;base64,", "from top to bottom: across, standing", "</html>"})
    CHECK_THAT(page, ContainsSubstring(part));
  for (const char* part : {"<script", "http://", "https://", "src=\"/"}) CHECK_THAT(page, !ContainsSubstring(part));
  CHECK(content_of(folder / "loss.csv").starts_with("step,epoch,loss,test_loss\n1,1,"));

  const std::string from = checkpoint_in(folder);
  const auto shown = images({"show", "--checkpoint", from});
  CHECK(shown.code == 0);
  CHECK_THAT(shown.out, ContainsSubstring("2: across, standing"));
  CHECK_THAT(shown.out, ContainsSubstring("4, of 2 epochs in batches of 16"));

  CHECK((drawn(from, {}) == content_of(folder / "samples.npy")));
  const std::string across = drawn(from, {"--labels", "across"});
  CHECK((drawn(from, {"--labels", "0"}) == across));
  CHECK((drawn(from, {"--labels", "standing"}) != across));
  CHECK((drawn(from, {"--labels", "none"}) != across));
  CHECK((drawn(from, {"--labels", "across", "--guidance-scale", "4"}) != across));
  CHECK((drawn(from, {"--labels", "across", "--sample-batch-size", "3", "--threads", "1"}) == across));
}

TEST_CASE("Every sampler that the program lists draws") {
  std::vector<std::string> all;
  for (const std::string name : {"ddim", "ddpm", "dpm_solver_pp_2m", "dpm_solver_pp_3m_sde", "unipc", "edm_heun"}) {
    all.push_back(drawn(checkpoint_in(trained()), {"--sampler", name}));
    CHECK_THAT(images({"sample", "--help"}).out, ContainsSubstring(name));
  }
  std::sort(all.begin(), all.end());
  CHECK(std::adjacent_find(all.begin(), all.end()) == all.end());
}

TEST_CASE("A run that was stopped politely goes on to the bits of one that was not") {
  const temporary_folder whole, folder;
  const words longer{"--epochs", "16", "--flip", "--checkpoint-every", "1"};
  REQUIRE(images(small_run(bars().path(), whole, longer)).code == 0);
  process run{images_command(small_run(bars().path(), folder, longer))};
  while (!std::filesystem::exists(checkpoint_in(folder))) std::this_thread::sleep_for(std::chrono::milliseconds{1});
  run.send(SIGTERM);
  const auto stopped = run.wait();
  INFO(stopped.err);
  REQUIRE(stopped.code == 130);
  CHECK_THAT(stopped.err, ContainsSubstring("go on with: images resume --checkpoint " + checkpoint_in(folder)));
  const words resume{"resume", "--checkpoint", checkpoint_in(folder), "--count", "4", "--steps", "3", "--threads", "1"};
  REQUIRE(images(resume).code == 0);
  for (const char* name : {"checkpoint.safetensors", "loss.csv", "samples.npy"})
    CHECK((content_of(folder / name) == content_of(whole / name)));
}

TEST_CASE("A folder of diffusers is written, drawn from, written again and trained further") {
  const temporary_folder folder, other;
  const std::string model = (folder / "model").string(), again = (folder / "again").string();
  REQUIRE(images({"save", "--checkpoint", checkpoint_in(trained()), "--out", model}).code == 0);
  for (const char* name : {"model_index.json", "unet/config.json", "scheduler/scheduler_config.json"})
    CHECK(std::filesystem::exists(folder / ("model/" + std::string{name})));
  const words by_number{"--labels", "1", "--guidance-scale", "1.5"};
  CHECK((drawn(model, by_number) == drawn(checkpoint_in(trained()), by_number)));
  REQUIRE(images({"save", "--checkpoint", model, "--out", again}).code == 0);
  const std::string weights = "unet/diffusion_pytorch_model.safetensors";
  CHECK((content_of(folder / ("again/" + weights)) == content_of(folder / ("model/" + weights))));

  const auto further = images({"train", "--from", model, "--data", bars().path().string(), "--epochs", "1",
                               "--batch-size", "16", "--count", "2", "--steps", "2", "--out", other.path().string()});
  INFO(further.err);
  CHECK(further.code == 0);
  refused({"save", "--checkpoint", model, "--out", again}, "a folder without a model, unless --overwrite is given");
}

TEST_CASE("CIFAR-10's batches, IDX files and a plain folder are read") {
  const temporary_folder cifar, idx, plain, out;
  std::string batch;
  for (int i = 0; i < 20; ++i) batch += static_cast<char>(i % 10) + std::string(3072, static_cast<char>(10 * i));
  cifar.put("data_batch_1.bin", batch);
  idx.put("train-images-idx3-ubyte", idx_images_file(40, 16, 16));
  idx.put("train-labels-idx1-ubyte", idx_labels_file(40));
  idx.put("t10k-images-idx3-ubyte", idx_images_file(20, 16, 16));
  idx.put("t10k-labels-idx1-ubyte", idx_labels_file(20));
  for (int i = 0; i < 20; ++i) plain.put(std::to_string(i) + ".png", bar(16, i, true));
  const words quick{"--epochs", "1", "--batch-size", "8", "--images", "16", "--overwrite", "--sampler", "unipc"};
  const auto on = [&](const temporary_folder& data, const words& more) {
    const auto end = images(small_run(data.path(), out, quick + more));
    INFO(end.err);
    REQUIRE(end.code == 0);
    return images({"show", "--checkpoint", checkpoint_in(out)}).out;
  };
  const std::string of_cifar = on(cifar, {"--widths", "8", "--schedule", "cosine", "--count", "10"});
  CHECK_THAT(of_cifar, ContainsSubstring("3 x 32 x 32"));
  CHECK_THAT(of_cifar, ContainsSubstring("10: airplane, automobile, "));
  CHECK_THAT(on(idx, {"--count", "10"}), ContainsSubstring("1 x 16 x 16"));
  CHECK_THAT(on(idx, {"--no-labels"}), ContainsSubstring("classes                none"));
  CHECK_THAT(on(plain, {}), ContainsSubstring("classes                none"));
  refused({"sample", "--checkpoint", checkpoint_in(out), "--labels", "3", "--out", (out / "x.npy").string()},
          "--labels is 3, but it must be left out, since the network takes no labels");
  refused({"sample", "--checkpoint", checkpoint_in(out), "--guidance-scale", "3", "--out", (out / "x.npy").string()},
          "--guidance-scale is 3, but it must be left out, since the network takes no labels");
}

TEST_CASE("The images program answers what cannot be done by one sentence") {
  const temporary_folder out, empty, sizes, mixed, odd;
  for (int i = 0; i < 3; ++i) sizes.put(std::to_string(i) + ".png", bar(i < 2 ? 16 : 20, i, true));
  for (int i = 0; i < 16; ++i) odd.put(std::to_string(i) + ".png", bar(18, i, true));
  put_bars(mixed);
  mixed.put("one.png", bar(16, 0, true));
  const std::string from = checkpoint_in(trained()), file = (out / "x.npy").string();
  const auto other = out.put("other.safetensors", std::string("\x02\0\0\0\0\0\0\0{}", 10));
  const auto train = [&](const std::filesystem::path& data, const words& more = {}) {
    return small_run(data, out, more);
  };
  const auto sample = [&](const words& more) { return words{"sample", "--checkpoint", from, "--out", file} + more; };
  struct row {
    words command;
    std::string sentence;
  };
  const std::vector<row> table{
      {{}, "A subcommand is required"},
      {{"train"}, "--data is required"},
      {train("/nowhere"), "/nowhere cannot be read: No such file"},
      {train(empty.path()), "must have PNG files, sub-folders of PNG files, CIFAR-10's data_batch_1.bin or MNIST's"},
      {train(mixed.path()), "has PNG files beside the sub-folder across"},
      {train(sizes.path()), "2.png: the shape is 1 x 1 x 20 x 20, but it must be that of 0.png, 1 x 16 x 16"},
      {train(odd.path(), {"--widths", "8,8,8", "--batch-size", "8"}),
       "is 18 x 18, but it must be a multiple of 4 in height and width, since the network has 3 levels"},
      {train(bars().path(), {"--batch-size", "100"}),
       "--batch-size is 100, but it must be at most the number of training images, 44"},
      {train(bars().path(), {"--images", "100"}), "--images is 100, but it must be at most the 44 training images in "},
      {train(bars().path(), {"--widths", "8,,8"}), "--widths is 8,,8, but it must be up to 8 widths"},
      {train(bars().path(), {"--attention", "3"}), "--attention is 3, but it must be at most the number of levels, 2"},
      {train(bars().path(), {"--schedule", "square"}), "--schedule is square, but it must be linear or cosine"},
      {train(bars().path(), {"--label-dropout", "1"}), "label_dropout is 1, but it must be"},
      {train(bars().path(), {"--no-labels", "--label-dropout", "0.2"}), "--label-dropout is 0.2, but it must be left"},
      {train(bars().path(), {"--sampler", "magic"}),
       "--sampler is magic, but it must be one of ddim, ddpm, dpm_solver_pp_2m, dpm_solver_pp_3m_sde, unipc, edm_heun"},
      {train(bars().path(), {"--from", from}), "--widths is 8,16, but it must be left out"},
      {{"train", "--data", bars().path().string(), "--out", trained().path().string()},
       "checkpoint.safetensors, but it must be a file that is not there yet, unless --overwrite is given"},
      {sample({"--labels", "bird"}),
       "--labels is bird, but it must be all, none, or classes between commas: across, standing (or a number from 0 to "
       "1)"},
      {sample({"--labels", "2"}), "--labels is 2, but it must be"},
      {sample({"--labels", "0,1", "--count", "1"}), "--count is 1, but it must be at least the number of labels, 2"},
      {sample({"--labels", "none", "--guidance-scale", "2"}), "--guidance-scale is 2, but it must be left out"},
      {sample({"--steps", "2000"}), "--steps is 2000, but it must be at most the steps of the chain, 1000"},
      {sample({"--sampler", "cold"}), "--sampler is cold, but it must be one of ddim, "},
      {sample({"--out", "x.gif"}), "--out is x.gif, but it must be a file that ends in .npy or .png"},
      {{"sample", "--checkpoint", other.string(), "--out", file},
       "is no checkpoint of this program, but it must be a checkpoint that images train wrote"},
      {{"sample", "--checkpoint", "/nowhere", "--out", file}, "/nowhere cannot be read: No such file"},
      {{"sample", "--checkpoint", empty.path().string(), "--out", file}, "cannot be read: No such file"},
      {{"resume", "--checkpoint", from, "--epochs", "1"}, "--epochs is 1, but it must be at least the 2 of the"},
      {{"resume", "--checkpoint", from, "--data", mixed.path().string()}, "has PNG files beside the sub-folder"},
      {{"resume", "--checkpoint", from, "--data", odd.path().string()}, "the fingerprint of the images is "}};
  for (const auto& one : table) refused(one.command, one.sentence);
}

TEST_CASE("Help explains every command of the images program") {
  const auto all = images({"--help"});
  CHECK(all.code == 0);
  for (const std::string command : {"train", "resume", "sample", "show", "save"}) {
    CHECK_THAT(all.out, ContainsSubstring(command));
    const auto one = images({command, "--help"});
    CHECK(one.code == 0);
    CHECK_THAT(one.out, ContainsSubstring("--checkpoint"));
  }
}
