// `check_laws` on every family of the library, on every backend, and on families that break each law.
#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/operator/centred_mask.hpp>
#include <softscore/operator/check_laws.hpp>
#include <softscore/operator/eraser.hpp>
#include <softscore/operator/fade.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/operator/on_host.hpp>
#include <softscore/operator/scaling.hpp>

#include "opaque_backend.hpp"
#include "refusal.hpp"

using namespace softscore;

namespace {

// In both precisions, on the host and where the host cannot look.
template <class Op>
void obeys(const Op& op, const law_trials& trials) {
  serial_backend host;
  opaque_backend device;
  for (const law_report& report :
       {check_laws(op, host, trials), check_laws<float>(op, host, trials), check_laws<float>(op, device, trials)}) {
    CAPTURE(report);
    CHECK(report.holds());
    CHECK(report.findings.size() >= 5);
  }
}

bool has(const law_report& report, const std::string& law) {
  return std::any_of(report.findings.begin(), report.findings.end(),
                     [&](const law_finding& f) { return f.law.find(law) != std::string::npos; });
}

}  // namespace

TEST_CASE("noise alone, blurs and masks obey the laws", "[operator]") {
  obeys(identity{}, {.level_max = 3.0});
  obeys(scaling{}, {.level_max = 2.0});
  obeys(fade{}, {});
  obeys(centred_mask{}, {.level_max = 9.0});
  obeys(eraser{7, 9, 30}, {.level_max = 30.0, .extents = {{5, 3, 7, 9}}});
  obeys(gaussian_blur{.half_width = 5}, {.level_max = 4.0});
  obeys(gaussian_blur{}, {.level_max = 14.0});
}

TEST_CASE("the report has a finding for each thing that an operator offers", "[operator]") {
  const auto of_scaling = check_laws(scaling{});
  for (const char* law : {"level 0", "aCx", "C'y", "a level per image", "|C| <= 1", "gain", "compose", "dC/dw"})
    CHECK(has(of_scaling, law));
  const auto of_blur = check_laws(gaussian_blur{3});
  CHECK(has(of_blur, "dC/dw"));
  CHECK(!has(of_blur, "gain"));
  CHECK(!has(of_blur, "compose"));
  CHECK(!has(check_laws(centred_mask{}), "dC/dw"));
  // exp(-w) is largest at w = 0.
  CHECK_THAT(of_scaling.norm, Catch::Matchers::WithinAbs(1.0, 1e-15));
  CHECK_REFUSED(check_laws(fade{}, {.level_max = 0.0}), "level_max is 0, but it must be above 0 and finite");
  CHECK_REFUSED(check_laws(fade{}, {.extents = {}}), "number of extents is 0, but it must be at least 1");
}
