#include <cstdio>
#include <exception>
#include <new>

#include <softscore/core/error.hpp>
#include <softscore/io/file_error.hpp>

#include "command_line.hpp"
#include "interrupt.hpp"

// Exit codes: 0 done, 2 cannot be done (one sentence says why), 130 stopped by the user.
int main(int count, char** arguments) {
  try {
    digits::catch_interrupts();
    const int code = digits::run_command_line(count, arguments);
    if (std::fflush(stdout) != 0) throw softscore::error("the standard output cannot be written");
    return code;
  } catch (const digits::stopped_by_user& stop) {
    std::fprintf(stderr, "\ndigits: %s\n", stop.how_to_go_on.c_str());
    return 130;
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "digits: there is not enough memory for this\n");
  } catch (const std::exception& problem) {
    // One line whatever names and values were given, and nothing in it that a terminal would obey.
    std::fprintf(stderr, "digits: %s\n", softscore::detail::printable(problem.what(), 1000).c_str());
  }
  return 2;
}
