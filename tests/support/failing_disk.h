// A disk that fails: every fsync of a process is answered with an error, by strace.
#pragma once

#include <sys/types.h>

#include "support/process.h"

namespace engram::testing {

// From some moment after it was made, until it is gone. The process must outlive it or be killed
// before. Single-threaded use; takes root, or a process of the same user.
class FailingDisk {
 public:
  // What it takes.
  static constexpr char kProgram[] = "/usr/bin/strace";

  explicit FailingDisk(pid_t process);

 private:
  Process tracer_;
};

}  // namespace engram::testing
