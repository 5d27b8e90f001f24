#pragma once

#include <cstddef>
#include <cstdint>

#include <softscore/nn/plain_cnn.hpp>

// What a shared library, compiled with hidden visibility, offers to a program that uses softscore too.
#define HIDDEN_LIBRARY_API [[gnu::visibility("default")]]

HIDDEN_LIBRARY_API void set_all_parameters(softscore::plain_cnn& network, float value);
HIDDEN_LIBRARY_API std::uint64_t stamp_of_library();
HIDDEN_LIBRARY_API void throw_from_library();
HIDDEN_LIBRARY_API std::size_t tasks_of_library(std::size_t count);
