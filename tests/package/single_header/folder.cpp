#include <string>

#include <softscore/backend/serial/backend.hpp>

std::size_t size_of(softscore::shape extent) { return softscore::serial_backend{}.make<float>(extent).view().size(); }

std::string refusal() try {
  softscore::require(false, "steps", 0, "at least 1");
  return "";
} catch (const softscore::error& problem) {
  return problem.what();
}
