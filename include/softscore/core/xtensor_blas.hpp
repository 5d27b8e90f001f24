#pragma once

#include <softscore/core/xtensor.hpp>

// xtensor's products through a BLAS; a program that includes this header must link one. Its own warnings are not ours
// to fix.
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#endif
// A macro of <sys/ioctl.h>, and the name of parameters of LAPACK here.
#pragma push_macro("NCC")
#undef NCC
#include <xtensor-blas/xlinalg.hpp>
#pragma pop_macro("NCC")
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif
