#include <softscore/sampler/adams_bashforth.hpp>
#include <softscore/sampler/dormand_prince.hpp>
#include <softscore/sampler/dpm_solver.hpp>
#include <softscore/sampler/dpm_solver_pp_2m.hpp>
#include <softscore/sampler/dpm_solver_pp_3m.hpp>
#include <softscore/sampler/euler.hpp>
#include <softscore/sampler/midpoint.hpp>
#include <softscore/sampler/rk4.hpp>
#include <softscore/sampler/unipc.hpp>

#include "contest.hpp"

namespace {
using namespace softscore;
const bool entered =
    contest::enter("euler", euler{}) && contest::enter("midpoint", midpoint{}) && contest::enter("rk4", rk4{}) &&
    contest::enter("dormand_prince", dormand_prince{}) && contest::enter("adams_bashforth<2>", adams_bashforth<2>{}) &&
    contest::enter("adams_bashforth<3>", adams_bashforth<3>{}) &&
    contest::enter("adams_bashforth<4>", adams_bashforth<4>{}) && contest::enter("dpm_solver<1>", dpm_solver<1>{}) &&
    contest::enter("dpm_solver<2>", dpm_solver<2>{}) && contest::enter("dpm_solver<3>", dpm_solver<3>{}) &&
    contest::enter("dpm_solver_pp_2m", dpm_solver_pp_2m{}) && contest::enter("dpm_solver_pp_3m", dpm_solver_pp_3m{}) &&
    contest::enter("unipc<1>", unipc<1>{}) && contest::enter("unipc<2>", unipc<2>{}) &&
    contest::enter("unipc<3>", unipc<3>{});
}  // namespace
