// Runs the tests where there is a device; elsewhere it lists them, or says why they are skipped.
#if __has_include(<catch2/catch_session.hpp>)
#include <catch2/catch_session.hpp>
#else
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#endif

#include <cstdio>
#include <string>

/// Why there is no device to test on, or nothing. In probe.cu, for this file needs no CUDA compiler.
std::string why_no_device();

int main(int count, char** arguments) {
  bool only_lists = false;
  for (int i = 1; i < count; ++i) only_lists = only_lists || std::string{arguments[i]}.rfind("--list", 0) == 0;
  const std::string reason = only_lists ? "" : why_no_device();
  if (!reason.empty()) {
    std::printf("skipped: no device (%s)\n", reason.c_str());
    return 77;
  }
  return Catch::Session().run(count, arguments);
}
