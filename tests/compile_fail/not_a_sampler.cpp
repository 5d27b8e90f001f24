// A rule for the two numbers of a step becomes a sampler by deriving from one_evaluation.
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/two_stage.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/sampler/one_evaluation.hpp>

#include "support/draw.hpp"

#ifdef SOFTSCORE_TWIN
struct keep_all : softscore::one_evaluation<keep_all> {
#else
struct keep_all {
#endif
  template <class C>
  softscore::step_weights weights(const C&, const softscore::step_at&) const {
    return {1.0, 0.0};
  }
};

void run() { draw(keep_all{}, softscore::corruption{softscore::gaussian_blur{}, softscore::two_stage{}}); }
