// One line of `engram store --from`: JSON to a StoreRequest.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "engram/v1/memory.pb.h"

namespace engram::cli {

// `default_space` is used where the line names none. InvalidArgument says what is wrong with which
// key; an unknown key is an error, so that a misspelt one is not lost.
absl::StatusOr<v1::StoreRequest> ParseMemoryLine(std::string_view line,
                                                 const std::string& default_space);

}  // namespace engram::cli
