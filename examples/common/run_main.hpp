#pragma once

namespace common {

/// The `main` of a program of that name: runs `command_line` with interrupts caught, and says in one line on standard
/// error what cannot be done. Returns 0 when all is done, 2 when it cannot be done, 130 when the user stopped it.
int run_main(const char* name, int (*command_line)(int, char**), int count, char** arguments);

}  // namespace common
