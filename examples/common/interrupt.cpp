#include "interrupt.hpp"

#include <csignal>

namespace common {
namespace {

volatile std::sig_atomic_t asked_to_stop = 0;

}  // namespace

void catch_interrupts() {
  struct sigaction action{};
  action.sa_handler = [](int) { asked_to_stop = 1; };
  action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_RESTART;
  for (const int number : {SIGINT, SIGTERM}) {
    struct sigaction before{};
    // A program that ignores a signal, as a shell makes its background jobs do, should keep ignoring it.
    if (sigaction(number, nullptr, &before) == 0 && before.sa_handler != SIG_IGN) sigaction(number, &action, nullptr);
  }
}

bool interrupted() { return asked_to_stop != 0; }

}  // namespace common
