#include <softscore/sampler/cold.hpp>
#include <softscore/sampler/ddim.hpp>
#include <softscore/sampler/ddpm.hpp>
#include <softscore/sampler/heun.hpp>
#include <softscore/sampler/momentum.hpp>
#include <softscore/sampler/naive.hpp>
#include <softscore/sampler/naive_cold.hpp>
#include <softscore/sampler/probability_flow.hpp>

#include "contest.hpp"

namespace {
using namespace softscore;
const bool entered = contest::enter("ddpm", ddpm{}) && contest::enter("ddim", ddim{}) &&
                     contest::enter("ddim, eta 1", ddim{1.0}) && contest::enter("soft_ddim, k 0.1", soft_ddim{0.1}) &&
                     contest::enter("naive", naive{}) && contest::enter("momentum", momentum{}) &&
                     contest::enter("probability_flow", probability_flow{}) && contest::enter("heun", heun{}) &&
                     contest::enter("cold", cold{}) && contest::enter("naive_cold", naive_cold{});
}  // namespace
