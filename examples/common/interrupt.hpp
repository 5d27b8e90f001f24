#pragma once

#include <string>

namespace common {

/// From now on Ctrl-C and SIGTERM ask for a stop after the step at hand; a second one ends the program at once.
/// Signals that were ignored when the program started stay ignored.
void catch_interrupts();
bool interrupted();

/// Thrown where work was stopped by the user; the text says how to go on. The program then exits with 130.
struct stopped_by_user {
  std::string how_to_go_on;
};

}  // namespace common
