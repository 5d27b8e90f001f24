#include <softscore/sampler/cold.hpp>
#include <softscore/sampler/ddim.hpp>
#include <softscore/sampler/ddpm.hpp>
#include <softscore/sampler/heun.hpp>
#include <softscore/sampler/momentum.hpp>
#include <softscore/sampler/naive.hpp>
#include <softscore/sampler/probability_flow.hpp>

#include "contest.hpp"

namespace {
using namespace softscore;
const bool entered = contest::enter("ddpm", ddpm{}) && contest::enter("ddim", ddim{}) &&
                     contest::enter("naive", naive{}) && contest::enter("momentum", momentum{}) &&
                     contest::enter("probability_flow", probability_flow{}) && contest::enter("heun", heun{}) &&
                     contest::enter("cold", cold{});
}  // namespace
