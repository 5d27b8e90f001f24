#include "command_line.hpp"
#include "common/run_main.hpp"

int main(int count, char** arguments) { return common::run_main("digits", digits::run_command_line, count, arguments); }
