#include <softscore/sampler/alternating.hpp>
#include <softscore/sampler/edm_heun.hpp>
#include <softscore/sampler/exponential_integrator.hpp>
#include <softscore/sampler/predictor_corrector.hpp>

#include "contest.hpp"

namespace {
using namespace softscore;
const bool entered = contest::enter("alternating", alternating{}) && contest::enter("edm_heun", edm_heun{}) &&
                     contest::enter("predictor_corrector", predictor_corrector{}) &&
                     contest::enter("exponential_integrator", exponential_integrator{});
}  // namespace
