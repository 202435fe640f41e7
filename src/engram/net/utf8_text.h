// Text for a peer: what gRPC and protobuf ask to be UTF-8 may come from one who did not heed that.
//
// A pure function, thread-safe.
#pragma once

#include <string>
#include <string_view>

namespace engram::net::internal {

// `text` with U+FFFD for each byte that is not part of well-formed UTF-8.
std::string ToValidUtf8(std::string_view text);

}  // namespace engram::net::internal
