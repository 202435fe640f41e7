#include "support/failing_disk.h"

#include <string>

namespace engram::testing {

FailingDisk::FailingDisk(pid_t process)
    : tracer_({kProgram, "-f", "-qq", "-p", std::to_string(process), "-e", "trace=fsync,fdatasync",
               "-e", "inject=fsync,fdatasync:error=EIO"},
              "/dev/null") {}

}  // namespace engram::testing
