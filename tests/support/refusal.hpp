#pragma once

#include <string>

#include <softscore/core/error.hpp>

#include "catch.hpp"

/// The sentence of the softscore::error that `action` throws. The test fails when it throws nothing or something else.
template <class Action>
std::string refusal(Action action) {
  std::string sentence;
  try {
    action();
  } catch (const softscore::error& refused) {
    sentence = refused.what();
  }
  CAPTURE(sentence);
  CHECK(!sentence.empty());
  CHECK(sentence.find('\n') == std::string::npos);
  return sentence;
}

/// Checks that `action` is refused with a sentence that holds `part`.
#define CHECK_REFUSED(action, part) CHECK_THAT(refusal([&] { action; }), Catch::Matchers::ContainsSubstring(part))
