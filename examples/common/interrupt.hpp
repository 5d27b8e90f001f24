#pragma once

#include <string>

namespace common {

/// From now on Ctrl-C and SIGTERM request a stop after the current step; a second one ends the program immediately.
/// Signals that were ignored when the program started stay ignored.
void catch_interrupts();
bool interrupted();

/// Thrown when the user stopped the work; the text says how to continue. The program then exits with 130.
struct stopped_by_user {
  std::string how_to_go_on;
};

}  // namespace common
