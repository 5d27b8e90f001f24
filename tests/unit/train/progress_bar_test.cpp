// The line that a progress bar redraws on a terminal.
#include "catch.hpp"

#include <algorithm>
#include <cstddef>
#include <string>

#include <softscore/train/progress_bar.hpp>

using softscore::detail::bar_line;

TEST_CASE("a bar fills with the work and never reaches the terminal's last column", "[train]") {
  CHECK(bar_line(0.0, "epoch 1/2", 120) == "[" + std::string(24, '.') + "] epoch 1/2");
  CHECK(bar_line(0.5, "epoch 1/2", 120) == "[" + std::string(12, '#') + std::string(12, '.') + "] epoch 1/2");
  CHECK(bar_line(1.0, "epoch 2/2", 120) == "[" + std::string(24, '#') + "] epoch 2/2");
  // The length of the longest line that training writes: the bar yields.
  const std::string text = "epoch 10/10  step 4680/4680  loss 0.02345  12345 images/s  10:00 left";
  CHECK(bar_line(0.5, text, 80).substr(0, 9) == "[###....]");
  for (std::size_t columns = 0; columns < 130; ++columns) {
    const std::string line = bar_line(0.3, text, columns);
    CAPTURE(columns, line);
    CHECK(line.size() < std::max<std::size_t>(columns, 2));
    CHECK(line.size() >= std::min(text.size(), std::max<std::size_t>(columns, 2) - 1));
  }
}
