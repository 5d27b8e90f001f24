#pragma once

// <cmath> for all other headers. libstdc++'s version opens C's <math.h> before it checks its own include guard, so
// including it a hundred times costs a hundred reads: an eighth of a second.
#include <cmath>

#include <softscore/core/config.hpp>
