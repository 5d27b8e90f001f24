#pragma once

namespace images {

/// Reads the command line and runs the command that it names. Returns the program's exit code.
int run_command_line(int count, char** arguments);

}  // namespace images
