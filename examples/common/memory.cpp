#include "memory.hpp"

#include <unistd.h>

#include <algorithm>
#include <fstream>

namespace common {

double memory_of_machine() {
  double bytes = static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGE_SIZE));
  // Of version 2 and of version 1. "max" is not a number, so the machine's memory is used.
  for (const char* file : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    double limit = 0;
    if (std::ifstream{file} >> limit && limit > 0) bytes = std::min(bytes, limit);
  }
  return bytes;
}

}  // namespace common
