#pragma once

namespace common {

/// Returns the bytes that this process may use: those of the machine, or of its control group if that has fewer.
double memory_of_machine();

}  // namespace common
