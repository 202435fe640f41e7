// Child processes for tests: started by exec, stopped by process id, never left behind.
//
// Single-threaded use. A Process that is destroyed is killed and reaped; if the test itself dies,
// the kernel kills its children.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace engram::testing {

class Process {
 public:
  // Output of both kinds is appended to `log`.
  Process(const std::vector<std::string>& argv, const std::filesystem::path& log);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  void Signal(int signal) const;
  // SIGSTOP, and waits until all its threads stand still: a signal is delivered some time after it
  // was sent.
  void Stop() const;
  // The exit code, or 128 + signal; nullopt if it still runs after `limit`.
  std::optional<int> Wait(std::chrono::seconds limit);
  bool Running();
  // "exit code 1" or "signal 6 (Aborted)"; REQUIRES: it has ended.
  std::string HowItEnded() const;

 private:
  pid_t pid_ = -1;
  std::optional<int> exit_code_;
};

struct CommandResult {
  int exit_code = -1;
  std::string out;
  std::string err;
};

// Runs a command to its end with `input` on standard input. A command that takes longer than a
// minute is killed: it hangs.
CommandResult RunCommand(const std::vector<std::string>& argv, const std::string& input = "");

// Polls until `condition` holds; false if it does not within `limit` (generous: only a hang should
// reach it).
bool Eventually(const std::function<bool()>& condition,
                std::chrono::seconds limit = std::chrono::seconds(60));

// The whole file; "" if it is not there.
std::string ReadAll(const std::filesystem::path& file);

}  // namespace engram::testing
