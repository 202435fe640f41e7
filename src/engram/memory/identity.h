// Whose data a directory holds: written at first open, checked at every other, so that a node never
// serves another cluster's data.
#pragma once

#include <filesystem>

#include "absl/status/status.h"
#include "engram/memory/records.h"
#include "engram/storage/database.h"

namespace engram::memory {

// A mismatch, or a database written by a newer program, is InvalidArgument("data_dir") and says
// what to do.
[[nodiscard]] absl::Status ClaimOrCheckIdentity(storage::Database& database,
                                                const std::filesystem::path& dir,
                                                const Identity& expected);

}  // namespace engram::memory
