// How one's own sampler joins the contest: a file in this folder, the rule, and the line that enters it.
#include <cmath>

#include <softscore/sampler/one_evaluation.hpp>

#include "contest.hpp"

namespace {

// Half of the noise that a step may add is fresh, half is kept.
struct half_fresh : softscore::one_evaluation<half_fresh> {
  template <softscore::GaussianCorruption C>
  softscore::step_weights weights(const C& corruption, const softscore::step_at& at) const {
    const double kept = std::sqrt(0.5) * corruption.sigma(at.s);
    return {kept / corruption.sigma(at.t), kept};
  }
};

const bool entered = contest::enter("half_fresh (own)", half_fresh{});

}  // namespace
