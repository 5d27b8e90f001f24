#include "run_main.hpp"

#include <cstdio>
#include <exception>
#include <new>

#include <softscore/core/error.hpp>
#include <softscore/io/file_error.hpp>

#include "interrupt.hpp"

namespace common {

int run_main(const char* name, int (*command_line)(int, char**), int count, char** arguments) {
  try {
    catch_interrupts();
    const int code = command_line(count, arguments);
    if (std::fflush(stdout) != 0) throw softscore::error("the standard output cannot be written");
    return code;
  } catch (const stopped_by_user& stop) {
    std::fprintf(stderr, "\n%s: %s\n", name, stop.how_to_go_on.c_str());
    return 130;
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "%s: there is not enough memory for this\n", name);
  } catch (const std::exception& problem) {
    // One line for any names and values, without characters that control a terminal.
    std::fprintf(stderr, "%s: %s\n", name, softscore::detail::printable(problem.what(), 1000).c_str());
  }
  return 2;
}

}  // namespace common
