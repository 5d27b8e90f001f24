// Command lines and checkpoints from before names changed still do what they did.
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "digits.hpp"

namespace {

// A safetensors file with other words in its header, which is padded to whole words of eight bytes again.
std::string with_header(const std::string& file, const std::vector<std::pair<std::string, std::string>>& words) {
  std::size_t length = 0;
  for (int byte = 7; byte >= 0; --byte) length = 256 * length + static_cast<unsigned char>(file[std::size_t(byte)]);
  std::string header = file.substr(8, length);
  for (const auto& [from, to] : words) {
    REQUIRE(header.find(from) != std::string::npos);
    for (auto at = header.find(from); at != std::string::npos; at = header.find(from, at + to.size()))
      header.replace(at, from.size(), to);
  }
  header.append((8 - header.size() % 8) % 8, ' ');
  std::string made;
  for (std::size_t byte = 0; byte < 8; ++byte) made += static_cast<char>(header.size() >> 8 * byte & 255);
  return made + header + file.substr(8 + length);
}

const std::vector<std::pair<std::string, std::string>> before{
    {"\"batch_size\":", "\"batch\":"},        {"\"learning_rate\":", "\"rate\":"},
    {"\"max_grad_norm\":", "\"clip_norm\":"}, {"\"warmup_steps\":", "\"warm_up\":"},
    {"\"ema_decay\":", "\"average\":"},       {"\"prior/", "\"start/"}};

}  // namespace

TEST_CASE("Flags by their old names do what they do by their new ones") {
  const temporary_folder now, old, joined;
  REQUIRE(digits(small_run("blur", now,
                           {"--batch-size", "16", "--learning-rate", "0.001", "--warmup-steps", "3",
                            "--sample-batch-size", "2"}))
              .code == 0);
  REQUIRE(digits(small_run("blur", old, {"--batch", "16", "--rate", "0.001", "--warm-up", "3", "--sample-batch", "2"}))
              .code == 0);
  REQUIRE(digits(small_run("blur", joined, {"--batch=16", "--rate=0.001", "--warm-up=3", "--sample-batch=2"})).code ==
          0);
  for (const char* name : {"checkpoint.safetensors", "samples.npy"}) {
    CHECK((content_of(old / name) == content_of(now / name)));
    CHECK((content_of(joined / name) == content_of(now / name)));
  }
  // What is said of a flag names it as it is called now.
  CHECK_THAT(digits({"train", "--rate", "0"}).err,
             Catch::Matchers::ContainsSubstring("--learning-rate is 0, but it must be a number above 0"));
}

TEST_CASE("A checkpoint by the old names is drawn from, shown and resumed") {
  const temporary_folder folder, other;
  REQUIRE(digits(small_run("blur", folder)).code == 0);
  const std::string good = content_of(folder / "checkpoint.safetensors");
  const auto file = other.put("checkpoint.safetensors", with_header(good, before)).string();
  const auto drawn = [&](const std::string& checkpoint) {
    const std::string out = (other / "drawn.npy").string();
    const auto end = digits({"sample", "--checkpoint", checkpoint, "--count", "4", "--steps", "5", "--out", out});
    INFO(end.err);
    REQUIRE(end.code == 0);
    return content_of(out);
  };
  CHECK((drawn(file) == drawn((folder / "checkpoint.safetensors").string())));
  CHECK_THAT(digits({"show", "--checkpoint", file}).out,
             Catch::Matchers::ContainsSubstring("of 2 epochs in batches of 32"));
  CHECK_THAT(
      digits(
          {"show", "--checkpoint",
           other.put("bad.safetensors", with_header(good, {{"\"batch_size\":\"32\"", "\"batch\":\"-2\""}})).string()})
          .err,
      Catch::Matchers::ContainsSubstring("the setting batch is -2, but it must be"));

  // It goes on to the bits of a run by the new names, and is written by these.
  const std::vector<std::string> on{"--epochs", "3", "--count", "4", "--steps", "5", "--threads", "2"};
  const auto resumed = [&](const std::string& checkpoint) {
    std::vector<std::string> words{"resume", "--checkpoint", checkpoint};
    words.insert(words.end(), on.begin(), on.end());
    const auto end = digits(words);
    INFO(end.err);
    REQUIRE(end.code == 0);
    return content_of(checkpoint);
  };
  CHECK((resumed(file) == resumed((folder / "checkpoint.safetensors").string())));
}
