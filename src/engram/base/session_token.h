// A session token: a change that the reader has seen, his own or one that he has read of. Who
// answers him must have it, so that what he saw does not vanish again (DESIGN §5). As text
// "counter:primary:sequence", in which `primary` is a node id, which has no colon.
//
// Everything here is pure and thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "engram/base/string_hash.h"
#include "engram/base/version.h"

namespace engram {

std::string ToSessionToken(const Version& change);

// Nothing if `text` is no token.
std::optional<Version> ParseSessionToken(std::string_view text);

// Tokens of several spaces, as "space=token,space=token". A token without a space is of
// `default_space`, if there is one; a space that is named twice has the last. InvalidArgument
// naming `field`.
absl::StatusOr<StringMap<Version>> ParseSessionTokens(std::string_view field, std::string_view text,
                                                      std::string_view default_space);

}  // namespace engram
