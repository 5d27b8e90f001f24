#include <cstddef>

#include <softscore/backend/tbb/backend.hpp>

std::size_t threads_of(const softscore::tbb_backend& backend);

std::size_t threads_of(const softscore::tbb_backend& backend) { return backend.threads(); }
