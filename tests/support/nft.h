// nft: the packet filter of the network namespace in which the calling thread is. It takes root.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace engram::testing {

// All of `rules` or, with an error that says what is missing or wrong, none of them.
absl::Status RunNft(const std::string& rules);

// What `nft list` prints, in JSON.
absl::StatusOr<std::string> ListNft(const std::string& what);

}  // namespace engram::testing
