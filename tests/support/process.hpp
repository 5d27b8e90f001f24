#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "temporary_folder.hpp"

/// How a program ended, and what it wrote.
struct ending {
  int code{-1};  ///< exit code; -1 if a signal ended it
  int signal{};  ///< that signal
  std::string out{}, err{};
};

/// A program that runs beside the test. What it writes goes to files of its own; it is killed if the test is done with
/// it before it ends.
class process {
 public:
  /// Standard output goes to the file `out` if one is given; the program starts with `ignored` ignored if it is not 0.
  explicit process(const std::vector<std::string>& command, const std::string& out = "", int ignored = 0) {
    const std::string to = out.empty() ? (files_ / "out").string() : out;
    const std::string complaints = (files_ / "err").string();
    std::vector<char*> arguments;
    for (const auto& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    id_ = ::fork();
    if (id_ < 0) throw std::runtime_error("no process");
    if (id_ == 0) {
      if (ignored != 0) ::signal(ignored, SIG_IGN);
      ::dup2(::open(to.c_str(), O_WRONLY | O_CREAT, 0666), STDOUT_FILENO);
      ::dup2(::open(complaints.c_str(), O_WRONLY | O_CREAT, 0666), STDERR_FILENO);
      ::execv(arguments[0], arguments.data());
      ::_exit(127);
    }
  }
  process(const process&) = delete;
  process& operator=(const process&) = delete;
  ~process() {
    if (id_ > 0) send(SIGKILL), wait();
  }

  void send(int signal) const { ::kill(id_, signal); }
  /// What it has written to standard error so far.
  std::string complaints() const { return content_of(files_ / "err"); }

  ending wait() {
    int status = 0;
    ::waitpid(id_, &status, 0);
    id_ = -1;
    ending result{-1, 0, content_of(files_ / "out"), content_of(files_ / "err")};
    if (WIFEXITED(status)) result.code = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
    return result;
  }

 private:
  temporary_folder files_;
  pid_t id_{-1};
};

/// Runs a program to its end.
inline ending run_program(const std::vector<std::string>& command, const std::string& out = "") {
  return process{command, out}.wait();
}
