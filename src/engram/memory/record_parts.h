// Private to the records: the pieces that several of them are made of.
#pragma once

#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "engram/memory/types.h"
#include "engram/storage/codec.h"

namespace engram::memory::parts {

inline constexpr uint8_t kFirstFormat = 1;

absl::Status Damaged(std::string_view what);

// Starts a value. / Whether `in` starts with a format that is known.
storage::Encoder Begin();
bool KnownFormat(storage::Decoder& in);

void Put(storage::Encoder& out, const Version& version);
void Put(storage::Encoder& out, const Revision& revision);
void Put(storage::Encoder& out, const std::vector<Link>& links);
Version TakeVersion(storage::Decoder& in);
Revision TakeRevision(storage::Decoder& in);
RequestId TakeRequestId(storage::Decoder& in);
std::vector<Link> TakeLinks(storage::Decoder& in);

}  // namespace engram::memory::parts
