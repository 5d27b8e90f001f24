// Hands a backend to takes.cpp, which links only if both are compiled for the same instruction set.
#include <cstddef>

#include <softscore/backend/tbb/backend.hpp>

std::size_t threads_of(const softscore::tbb_backend& backend);

int main() { return threads_of(softscore::tbb_backend{2}) == 2 ? 0 : 1; }
