#include <algorithm>
#include <chrono>
#include <filesystem>
#include <random>
#include <string>
#include <thread>

#include "catch.hpp"
#include "digits.hpp"

namespace {

const std::vector<std::string> often{"--epochs", "3", "--checkpoint-every", "1"};

std::string checkpoint_of(const temporary_folder& folder) { return content_of(folder / "checkpoint.safetensors"); }

std::vector<std::string> resume(const temporary_folder& folder) {
  return {"resume", "--checkpoint", (folder / "checkpoint.safetensors").string(), "--count", "4", "--steps", "5"};
}

}  // namespace

TEST_CASE("A run killed at any time goes on to the bits of one that was not") {
  const std::string recipe = GENERATE("blur", "ddpm");
  const temporary_folder whole;
  const auto began = std::chrono::steady_clock::now();
  REQUIRE(digits(small_run(recipe, whole, often)).code == 0);
  const std::chrono::duration<double> length = std::chrono::steady_clock::now() - began;
  const std::string expected = checkpoint_of(whole);
  REQUIRE_FALSE(expected.empty());

  // The times are seeded, but where in the run a kill falls depends on the machine: the claim holds for every point.
  std::mt19937 dice{7};
  std::uniform_real_distribution<double> moment{0.05, 0.7};
  int kills = 0, in_training = 0;
  for (int round = 0; round < 20 && (kills < 5 || in_training < 2); ++round) {
    const temporary_folder folder;
    bool done = false;
    for (int attempt = 0; attempt < 4 && !done; ++attempt) {
      const bool saved = std::filesystem::exists(folder / "checkpoint.safetensors");
      process run{digits_command(saved ? resume(folder) : small_run(recipe, folder, often))};
      std::this_thread::sleep_for(moment(dice) * length);
      run.send(SIGKILL);
      const auto end = run.wait();
      done = end.code == 0;
      if (!done) {
        INFO(end.err);
        REQUIRE(end.signal == SIGKILL);
        ++kills;
        const std::string there = checkpoint_of(folder);
        in_training += !there.empty() && there != expected;
      }
    }
    const bool saved = std::filesystem::exists(folder / "checkpoint.safetensors");
    const auto last = digits(saved ? resume(folder) : small_run(recipe, folder, often));
    INFO(last.err);
    REQUIRE(last.code == 0);
    REQUIRE((checkpoint_of(folder) == expected));
    REQUIRE((content_of(folder / "loss.csv") == content_of(whole / "loss.csv")));
    REQUIRE((content_of(folder / "samples.npy") == content_of(whole / "samples.npy")));
  }
  CHECK(kills >= 5);
  CHECK(in_training >= 2);
}

TEST_CASE("Two runs do not share a folder, and one that is at work is not disturbed") {
  const temporary_folder whole, folder;
  REQUIRE(digits(small_run("mask", whole, {"--epochs", "40"})).code == 0);
  process first{digits_command(small_run("mask", folder, {"--epochs", "40"}))};
  while (!std::filesystem::exists(folder / "checkpoint.safetensors"))
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  const auto second = digits(small_run("mask", folder, {"--epochs", "1", "--overwrite"}));
  CHECK(second.code == 2);
  CHECK(second.err.find("but it must be a folder that no other run is at work in") != std::string::npos);
  CHECK(first.wait().code == 0);
  CHECK((checkpoint_of(folder) == checkpoint_of(whole)));
}

TEST_CASE("A signal that was ignored when a run began stays ignored") {
  const int number = GENERATE(SIGINT, SIGTERM);
  const temporary_folder whole, folder;
  REQUIRE(digits(small_run("mask", whole, {"--epochs", "60"})).code == 0);
  process run{digits_command(small_run("mask", folder, {"--epochs", "60"})), "", number};
  while (!std::filesystem::exists(folder / "checkpoint.safetensors"))
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  run.send(number);
  const auto end = run.wait();
  INFO(end.err);
  CHECK(end.code == 0);
  CHECK((checkpoint_of(folder) == checkpoint_of(whole)));
}

TEST_CASE("A run that was stopped politely says how to go on, and more epochs continue the same run") {
  const temporary_folder whole, folder;
  REQUIRE(digits(small_run("mask", whole, {"--epochs", "60"})).code == 0);
  process run{digits_command(small_run("mask", folder, {"--epochs", "60"}))};
  while (!std::filesystem::exists(folder / "checkpoint.safetensors"))
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  run.send(SIGTERM);
  const auto stopped = run.wait();
  INFO(stopped.err);
  REQUIRE(stopped.code == 130);
  CHECK(stopped.err.find("go on with: digits resume --checkpoint " + (folder / "checkpoint.safetensors").string()) !=
        std::string::npos);
  REQUIRE(digits(resume(folder)).code == 0);
  CHECK((checkpoint_of(folder) == checkpoint_of(whole)));

  const temporary_folder longer, extended;
  REQUIRE(digits(small_run("mask", longer, {"--epochs", "3"})).code == 0);
  REQUIRE(digits(small_run("mask", extended)).code == 0);
  auto more = resume(extended);
  more.insert(more.end(), {"--epochs", "3"});
  REQUIRE(digits(more).code == 0);
  CHECK((checkpoint_of(longer) == checkpoint_of(extended)));
}
