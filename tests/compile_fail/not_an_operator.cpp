// A corruption is made of an operator; a shape is none.
#include <softscore/backend/serial/backend.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/two_stage.hpp>
#include <softscore/operator/gaussian_blur.hpp>

#ifdef SOFTSCORE_TWIN
using family = softscore::gaussian_blur;
#else
using family = softscore::shape;
#endif

const softscore::corruption blurring{family{}, softscore::two_stage{}};
