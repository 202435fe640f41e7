// The cases of gRPC's public interop list ("gRPC interop test case descriptions"), under its names.
#pragma once

#include <string>

#include "interop/client.h"

namespace engram::interop {

// Runs the cases whose names contain `only`; prints a line for each, and what was got and expected
// where they differ. The exit code: 0 when all passed, 1 when one failed or there was none.
// `client_name` is for the last line.
int RunCases(Client& client, const std::string& client_name, const std::string& only);

}  // namespace engram::interop
