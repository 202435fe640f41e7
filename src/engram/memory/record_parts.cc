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

Encoder Begin(uint8_t format) {
  Encoder out;
  out.Byte(format);
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

void Put(Encoder& out, const VersionVector& seen) {
  out.Varint(seen.rows().size());
  for (const Version& row : seen.rows()) Put(out, row);
}

void Put(Encoder& out, const std::vector<NodeId>& nodes) {
  out.Varint(nodes.size());
  for (const NodeId& node : nodes) out.Bytes(node.view());
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

VersionVector TakeSeen(Decoder& in) {
  VersionVector seen;
  for (size_t rows = in.Count(); rows > 0; --rows) seen.Add(TakeVersion(in));
  return seen;
}

std::vector<NodeId> TakeNodes(Decoder& in) {
  std::vector<NodeId> nodes(in.Count());
  for (NodeId& node : nodes) node = NodeId(in.Bytes());
  return nodes;
}

VersionVector AllBefore(const Version& origin) {
  VersionVector seen;
  if (origin.sequence > 1) seen.Add({origin.epoch, origin.sequence - 1});
  return seen;
}

}  // namespace engram::memory::parts
