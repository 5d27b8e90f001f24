#include <softscore/train/progress_bar.hpp>

int main() {
  softscore::progress_bar{}(softscore::search_progress{.candidate = 0, .candidates = 1, .finished = true});
  return 0;
}
