// Reads an embedding from a file: a JSON array of numbers, or numbers separated by white space or
// commas.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace engram::cli {

absl::StatusOr<std::vector<float>> ReadEmbedding(const std::string& file);

}  // namespace engram::cli
