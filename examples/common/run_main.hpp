#pragma once

namespace common {

/// The `main` of a program of that name: runs `command_line` and catches interrupts. If something cannot be done, it
/// says so in one line on standard error. Returns 0 if everything is done, 2 if it cannot be done, 130 if the user
/// stopped it.
int run_main(const char* name, int (*command_line)(int, char**), int count, char** arguments);

}  // namespace common
