// Two measurements of one image change its shape; a product of two operators does not.
#include <softscore/backend/serial/backend.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/two_stage.hpp>
#include <softscore/operator/composed.hpp>
#include <softscore/operator/fade.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/operator/stacked.hpp>

#ifdef SOFTSCORE_TWIN
using family = softscore::composed<softscore::fade, softscore::gaussian_blur>;
#else
using family = softscore::stacked<softscore::fade, softscore::gaussian_blur>;
#endif

const softscore::corruption both{family{softscore::fade{}, softscore::gaussian_blur{}}, softscore::two_stage{}};
