// Private to the records: the pieces that several of them are made of.
#pragma once

#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "engram/base/codec.h"
#include "engram/base/version_vector.h"
#include "engram/memory/types.h"

namespace engram::memory::parts {

inline constexpr uint8_t kFirstFormat = 1;
inline constexpr uint8_t kSecondFormat = 2;
inline constexpr uint8_t kThirdFormat = 3;

absl::Status Damaged(std::string_view what);

// Starts a value. / Whether `in` starts with the only format that there is.
Encoder Begin(uint8_t format = kFirstFormat);
bool KnownFormat(Decoder& in);

void Put(Encoder& out, const Version& version);
void Put(Encoder& out, const Revision& revision);
void Put(Encoder& out, const std::vector<Link>& links);
void Put(Encoder& out, const VersionVector& seen);
void Put(Encoder& out, const std::vector<NodeId>& nodes);
Version TakeVersion(Decoder& in);
Revision TakeRevision(Decoder& in);
RequestId TakeRequestId(Decoder& in);
std::vector<Link> TakeLinks(Decoder& in);
VersionVector TakeSeen(Decoder& in);
std::vector<NodeId> TakeNodes(Decoder& in);

// What a change of format 1 has seen: all before it in its stream.
VersionVector AllBefore(const Version& origin);

}  // namespace engram::memory::parts
