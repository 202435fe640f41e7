// engram store --from: any number of JSON lines, streamed in batches.
#pragma once

#include <string>

#include "engram/cli/command.h"

namespace engram::cli {

struct StoreFromOptions {
  std::string file;           // "-": standard input
  std::string default_space;  // where a line names none
  std::string progress = "auto";
};

// Names each bad line by its number and goes on; says at the end how many went where. Exit code
// kRefused if any line was bad.
void StoreFrom(Context& context, const StoreFromOptions& options);

}  // namespace engram::cli
