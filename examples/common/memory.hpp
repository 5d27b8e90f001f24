#pragma once

namespace common {

/// The bytes that this process may use: those of the machine, or of its control group where that has fewer.
double memory_of_machine();

}  // namespace common
