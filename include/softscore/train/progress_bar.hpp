#pragma once

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <string>

#include <softscore/sampler/drive.hpp>
#include <softscore/schedule/search_progress.hpp>
#include <softscore/train/train.hpp>

namespace softscore {

/// A bar on standard error for training (step, loss, images per second, time left), sampling and the search of a
/// schedule. On a terminal it is
/// redrawn in place ten times a second; elsewhere it writes a line every ten seconds and at the end of an epoch.
class progress_bar {
 public:
  void operator()(const training_progress& p) {
    smooth_ = p.step == 1 || smooth_ == 0.0 ? p.loss : 0.98 * smooth_ + 0.02 * p.loss;
    char text[160];
    std::snprintf(text, sizeof text, "epoch %zu/%zu  step %zu/%zu  loss %.5f  %.0f images/s  %s left", p.epoch,
                  p.epochs, p.step, p.steps, smooth_, p.images_per_second, clock(p.seconds_left).c_str());
    draw(text, static_cast<double>(p.step) / static_cast<double>(p.steps),
         p.step == p.steps || p.test_loss.has_value());
    if (p.test_loss) std::fprintf(stderr, "epoch %zu: test loss %.5f\n", p.epoch, *p.test_loss);
  }

  template <class Be, class T>
  void operator()(const sampling_progress<Be, T>& p) {
    char text[160];
    std::snprintf(text, sizeof text, "sampling %zu images  step %zu/%zu  %zu evaluations", p.x.extent().images,
                  p.at.index + 1, p.at.count, p.nfe);
    draw(text, static_cast<double>(p.at.index + 1) / static_cast<double>(p.at.count), p.at.index + 1 == p.at.count);
  }

  void operator()(const search_progress& p) {
    char text[160];
    std::snprintf(text, sizeof text, "E %.4g  %zu nodes  %zu pairs  candidate %zu/%zu  %s", p.longest, p.nodes, p.pairs,
                  p.candidate + 1, p.candidates, clock(p.seconds).c_str());
    draw(text, static_cast<double>(p.candidate + 1) / static_cast<double>(p.candidates), p.finished);
  }

 private:
  using steady = std::chrono::steady_clock;

  static std::string clock(double seconds) {
    const auto whole = static_cast<long>(std::lround(std::max(0.0, seconds)));
    char text[32];
    std::snprintf(text, sizeof text, "%ld:%02ld", whole / 60, whole % 60);
    return text;
  }

  void draw(const char* text, double part, bool now) {
    const auto time = steady::now();
    const auto pause = terminal_ ? std::chrono::milliseconds{100} : std::chrono::milliseconds{10000};
    if (!now && time - last_ < pause) return;
    last_ = time;
    if (!terminal_) {
      std::fprintf(stderr, "%3.0f %%  %s\n", 100.0 * part, text);
      return;
    }
    constexpr std::size_t width = 24;
    const auto full = static_cast<std::size_t>(part * static_cast<double>(width));
    const std::string bar = std::string(full, '#') + std::string(width - full, '.');
    std::fprintf(stderr, "\r[%s] %s\x1b[K%s", bar.c_str(), text, now ? "\n" : "");
    std::fflush(stderr);
  }

  bool terminal_ = ::isatty(STDERR_FILENO) != 0;
  double smooth_{};
  steady::time_point last_{};
};

}  // namespace softscore
