// With -ffast-math a compiler drops every check for numbers that are not finite, so it is refused.
#ifndef SOFTSCORE_TWIN
#include <softscore/sampling.hpp>
#endif

int main() {}
