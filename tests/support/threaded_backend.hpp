#pragma once

// The backend on threads of tests that do not test its kernels: compiled beforehand where the library is built, because
// to compile the kernels in each of them takes minutes.
#if defined(SOFTSCORE_TESTS_COMPILED)
#include <softscore/compiled.hpp>
using threaded_backend = softscore::compiled_backend;
#else
#include <softscore/backend/tbb.hpp>
using threaded_backend = softscore::tbb_backend;
#endif
