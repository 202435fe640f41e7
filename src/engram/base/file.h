// Small whole files: configurations and the like. Thread-safe (no state).
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace engram {

// InvalidArgument naming the file and the reason if it cannot be read (absent, a directory, no
// permission).
absl::StatusOr<std::string> ReadFile(const std::filesystem::path& file);

// Through a temporary file beside it: a crash leaves the old content or the new.
[[nodiscard]] absl::Status WriteFile(const std::filesystem::path& file, std::string_view text);

}  // namespace engram
