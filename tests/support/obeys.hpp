#pragma once

#include <softscore/backend/serial/backend.hpp>
#include <softscore/operator/check_laws.hpp>

#include "catch.hpp"
#include "opaque_backend.hpp"

/// Checks that an operator obeys its laws in both precisions, on the host and where the host cannot look.
template <class Op>
void obeys(const Op& op, const softscore::law_trials& trials) {
  softscore::serial_backend host;
  softscore::opaque_backend device;
  for (const softscore::law_report& report :
       {softscore::check_laws(op, host, trials), softscore::check_laws<float>(op, host, trials),
        softscore::check_laws<float>(op, device, trials)}) {
    CAPTURE(report);
    CHECK(report.holds());
    CHECK(report.findings.size() >= 5);
  }
}
