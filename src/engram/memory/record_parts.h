// Private to the records: the pieces that several of them are made of.
#pragma once

#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "engram/base/codec.h"
#include "engram/memory/types.h"

namespace engram::memory::parts {

inline constexpr uint8_t kFirstFormat = 1;

absl::Status Damaged(std::string_view what);

// Starts a value. / Whether `in` starts with a format that is known.
Encoder Begin();
bool KnownFormat(Decoder& in);

void Put(Encoder& out, const Version& version);
void Put(Encoder& out, const Revision& revision);
void Put(Encoder& out, const std::vector<Link>& links);
Version TakeVersion(Decoder& in);
Revision TakeRevision(Decoder& in);
RequestId TakeRequestId(Decoder& in);
std::vector<Link> TakeLinks(Decoder& in);

}  // namespace engram::memory::parts
