#include "engram/memory/record_parts.h"

#include <fmt/format.h>

#include "engram/base/error.h"

namespace engram::memory::parts {

absl::Status Damaged(std::string_view what) {
  return MakeError(ErrorCode::kStorageFailed,
                   fmt::format("a stored {} is damaged: restore the data directory from a copy, or "
                               "move it away and let the node start with an empty one",
                               what));
}

Encoder Begin() {
  Encoder out;
  out.Byte(kFirstFormat);
  return out;
}

bool KnownFormat(Decoder& in) { return in.Byte() == kFirstFormat; }

void Put(Encoder& out, const Version& version) {
  out.Varint(version.epoch.counter);
  out.Bytes(version.epoch.primary.view());
  out.Varint(version.sequence);
}

void Put(Encoder& out, const Revision& revision) {
  out.Signed(ToInt(revision.clock));
  out.Varint(revision.clock_counter);
  Put(out, revision.version);
  out.Bytes(revision.request_id.ToBytes());
}

void Put(Encoder& out, const std::vector<Link>& links) {
  out.Varint(links.size());
  for (const Link& link : links) {
    out.Bytes(link.to.view());
    out.Double(link.weight);
  }
}

Version TakeVersion(Decoder& in) {
  Version version;
  version.epoch.counter = in.Varint();
  version.epoch.primary = NodeId(in.Bytes());
  version.sequence = in.Varint();
  return version;
}

RequestId TakeRequestId(Decoder& in) {
  return RequestId::FromBytes(in.Bytes()).value_or(RequestId());
}

Revision TakeRevision(Decoder& in) {
  Revision revision;
  revision.clock = WallMillis{in.Signed()};
  revision.clock_counter = static_cast<uint32_t>(in.Varint());
  revision.version = TakeVersion(in);
  revision.request_id = TakeRequestId(in);
  return revision;
}

std::vector<Link> TakeLinks(Decoder& in) {
  std::vector<Link> links(in.Count());
  for (Link& link : links) {
    link.to = MemoryId(in.Bytes());
    link.weight = in.Double();
  }
  return links;
}

}  // namespace engram::memory::parts
