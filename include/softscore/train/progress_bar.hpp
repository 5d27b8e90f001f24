#pragma once

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/number_text.hpp>
#include <softscore/sampler/integrate.hpp>
#include <softscore/schedule/search_progress.hpp>
#include <softscore/train/train.hpp>

namespace softscore::inline SOFTSCORE_ABI {

namespace detail {
/// A bar of at most 24 cells, of which the fraction `part` is full, and the text beside it. The line is shorter than
/// `columns`: a longer line would leave a copy of itself each time it is redrawn. The bar is shortened before the text.
template <class = when_called>
std::string bar_line(double part, std::string_view text, std::size_t columns) {
  const std::size_t room = std::max<std::size_t>(columns, 2) - 1;
  const std::size_t cells = room > text.size() + 3 ? std::min<std::size_t>(24, room - text.size() - 3) : 0;
  if (cells == 0) return std::string{text.substr(0, room)};
  const auto full = static_cast<std::size_t>(std::clamp(part, 0.0, 1.0) * static_cast<double>(cells));
  return '[' + std::string(full, '#') + std::string(cells - full, '.') + "] " + std::string{text};
}
}  // namespace detail

/// A bar on standard error for training (step, loss, images per second, time left), sampling and the search of a
/// schedule. Before the first step of training it says how the network is computed. On a terminal it is redrawn in
/// place ten times a second; otherwise it writes a line every ten seconds. Both begin a new line at the end of an epoch
/// and of the work.
class progress_bar {
 public:
  void operator()(const training_progress& p) {
    if (!std::exchange(began_, true) && !p.computed.empty())
      std::fprintf(stderr, "%.*s\n", static_cast<int>(p.computed.size()), p.computed.data());
    smooth_ = p.step == 1 || smooth_ == 0.0 ? p.loss : 0.98 * smooth_ + 0.02 * p.loss;
    char text[160];
    std::snprintf(text, sizeof text, "epoch %zu/%zu  step %zu/%zu  loss %s  %s images/s  %s left", p.epoch, p.epochs,
                  p.step, p.steps, detail::fixed(smooth_, 5).c_str(), detail::fixed(p.images_per_second, 0).c_str(),
                  clock(p.seconds_left).c_str());
    draw(text, static_cast<double>(p.step) / static_cast<double>(p.steps),
         p.step == p.steps || p.test_loss.has_value());
    if (p.test_loss) std::fprintf(stderr, "epoch %zu: test loss %s\n", p.epoch, detail::fixed(*p.test_loss, 5).c_str());
  }

  template <class Be, class T>
  void operator()(const sampling_progress<Be, T>& p) {
    char text[160];
    const std::size_t here = p.x.extent().images;
    const bool last = p.at.index + 1 == p.at.count;
    std::snprintf(text, sizeof text, "sampling image %zu to %zu of %zu  step %zu/%zu  %zu evaluations", p.done + 1,
                  p.done + here, p.images, p.at.index + 1, p.at.count, p.nfe);
    const double part = static_cast<double>(p.at.index + 1) / static_cast<double>(p.at.count);
    draw(text, (static_cast<double>(p.done) + part * static_cast<double>(here)) / static_cast<double>(p.images),
         last && p.done + here == p.images);
  }

  void operator()(const search_progress& p) {
    char text[160];
    std::snprintf(text, sizeof text, "E %s  %zu nodes  %zu pairs  candidate %zu/%zu  %s",
                  detail::rounded(p.longest, 4).c_str(), p.nodes, p.pairs, p.candidate + 1, p.candidates,
                  clock(p.seconds).c_str());
    draw(text, static_cast<double>(p.candidate + 1) / static_cast<double>(p.candidates), p.finished);
  }

 private:
  using steady = std::chrono::steady_clock;

  static std::string clock(double seconds) {
    const auto whole = static_cast<long>(std::lround((std::max)(0.0, seconds)));
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
    std::fprintf(stderr, "\r%s\x1b[K%s", detail::bar_line(part, text, columns()).c_str(), now ? "\n" : "");
    std::fflush(stderr);
  }

  // Of the terminal, whose size may change at any time; 80 if it does not report one.
  static std::size_t columns() {
    struct winsize size{};
    return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80u;
  }

  bool terminal_ = ::isatty(STDERR_FILENO) != 0;
  bool began_{};  // whether a step of training was seen
  double smooth_{};
  steady::time_point last_{};
};

}  // namespace softscore::inline SOFTSCORE_ABI
