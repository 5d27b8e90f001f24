#pragma once

// <cmath>, which the other headers take from here. libstdc++'s looks for the one of C before it asks whether it has
// been read already, so whoever names it a hundred times reads it a hundred times: an eighth of a second.
#include <cmath>

#include <softscore/core/config.hpp>
