#include "engram/membership/datagram.h"

#include <xxhash.h>

#include <cstring>

#include "engram/base/codec.h"
#include "engram/base/names.h"
#include "engram/membership/suspicion.h"

namespace engram::membership {
namespace {

constexpr std::string_view kMagic = "EG";
constexpr char kVersion = 1;
constexpr size_t kTagAt = 3;
constexpr size_t kChecksumAt = 11;
constexpr size_t kHeadBytes = 19;
constexpr uint8_t kStateBits = 3;
constexpr uint8_t kHasInfo = 4;
constexpr std::chrono::milliseconds kNackAfterMax = std::chrono::minutes(1);

uint64_t NumberAt(std::string_view bytes, size_t at) {
  uint64_t number;
  std::memcpy(&number, bytes.data() + at, sizeof(number));
  return number;
}

uint64_t ChecksumOf(std::string_view datagram, ClusterTag cluster) {
  const std::string_view rest = datagram.substr(kHeadBytes);
  return XXH3_64bits_withSeed(rest.data(), rest.size(), static_cast<uint64_t>(cluster));
}

// Writes the fields of each message behind its kind.
struct Put {
  Encoder& out;

  void operator()(const Ping& m) {
    out.Varint(m.sequence);
    out.Bytes(m.target.view());
  }
  void operator()(const Ack& m) { out.Varint(m.sequence); }
  void operator()(const PingRequest& m) {
    out.Varint(m.sequence);
    out.Bytes(m.target.view());
    out.Varint(std::chrono::duration_cast<std::chrono::milliseconds>(m.nack_after).count());
  }
  void operator()(const Nack& m) { out.Varint(m.sequence); }
  void operator()(const Gossip&) {}
  void operator()(const FullState&) {}
};

// Reads fields within their bounds. Like a Decoder it stays not-ok after the first bad one.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : in_(bytes) {}

  bool ok() const { return good_ && in_.ok(); }
  bool AtEnd() const { return in_.Finished(); }
  std::string_view Rest() const { return in_.rest(); }
  uint8_t Byte() { return in_.Byte(); }

  // 0 if it is larger than it may be: whoever computes with it must not overflow.
  uint64_t Number(uint64_t max) {
    const uint64_t number = in_.Varint();
    good_ = good_ && number <= max;
    return number <= max ? number : 0;
  }
  uint32_t Sequence() { return static_cast<uint32_t>(Number(UINT32_MAX)); }
  std::string Text(size_t size_max) {
    const std::string_view text = in_.Bytes();
    good_ = good_ && text.size() <= size_max;
    return ok() ? std::string(text) : std::string();
  }
  std::string Address() {
    std::string address = Text(kAddressBytesMax);
    good_ = good_ && !address.empty();
    return address;
  }
  NodeId Id() {
    const std::string_view id = in_.Bytes();
    good_ = good_ && CheckNodeId("id", id).ok();
    return ok() ? NodeId(id) : NodeId();
  }

 private:
  Decoder in_;
  bool good_ = true;
};

Ping TakePing(Reader& in) {
  Ping ping;
  ping.sequence = in.Sequence();
  ping.target = in.Id();
  return ping;
}

PingRequest TakePingRequest(Reader& in) {
  PingRequest request;
  request.sequence = in.Sequence();
  request.target = in.Id();
  request.nack_after = std::chrono::milliseconds(in.Number(kNackAfterMax.count()));
  return request;
}

// False: an unknown kind.
bool TakeMessage(Reader& in, Message& message) {
  switch (in.Byte()) {
    case 1:
      message = TakePing(in);
      return true;
    case 2:
      message = Ack{in.Sequence()};
      return true;
    case 3:
      message = TakePingRequest(in);
      return true;
    case 4:
      message = Nack{in.Sequence()};
      return true;
    case 5:
      message = Gossip{};
      return true;
    case 6:
      message = FullState{};
      return true;
    default:
      return false;
  }
}

MemberInfo TakeInfo(Reader& in) {
  MemberInfo info;
  info.gossip_address = in.Address();
  info.rpc_address = in.Text(kAddressBytesMax);
  info.zone = in.Text(kLabelBytesMax);
  info.rack = in.Text(kLabelBytesMax);
  return info;
}

// Nullopt: a damaged one.
std::optional<Update> TakeUpdate(Reader& in) {
  Update update;
  const uint8_t head = in.Byte();
  if (head > (kStateBits | kHasInfo)) return std::nullopt;
  update.standing.state = MemberState{static_cast<uint8_t>(head & kStateBits)};
  update.id = in.Id();
  update.standing.incarnation = Incarnation{in.Number(static_cast<uint64_t>(kIncarnationMax))};
  if ((head & kHasInfo) != 0) update.info = TakeInfo(in);
  if (update.standing.state == MemberState::kSuspect) {
    const uint64_t accusers = in.Number(Suspicion::kAccusersMax);
    for (uint64_t i = 0; in.ok() && i < accusers; ++i) update.accusers.push_back(in.Id());
  }
  const bool alive = update.standing.state == MemberState::kAlive;
  if (!in.ok() || (alive && !update.info.has_value())) return std::nullopt;
  return update;
}

bool TakeBody(std::string_view body, Datagram& read) {
  Reader in(body);
  read.sender = in.Id();
  if (!TakeMessage(in, read.message) || !in.ok()) return false;
  read.updates.clear();
  read.rider.clear();
  while (!in.AtEnd()) {
    if (in.Rest().starts_with(kRiderFollows)) {
      read.rider = in.Rest().substr(1);
      return true;
    }
    std::optional<Update> update = TakeUpdate(in);
    if (!update.has_value()) return false;
    read.updates.push_back(*std::move(update));
  }
  return true;
}

}  // namespace

ClusterTag TagOf(std::string_view cluster_id) {
  return ClusterTag{XXH3_64bits(cluster_id.data(), cluster_id.size())};
}

std::string BeginDatagram(const NodeId& sender, const Message& message) {
  Encoder out;
  for (size_t i = 0; i < kHeadBytes; ++i) out.Byte(0);
  out.Bytes(sender.view());
  out.Byte(static_cast<uint8_t>(message.index() + 1));
  std::visit(Put{out}, message);
  return out.Take();
}

std::string EncodeUpdate(const Update& update) {
  Encoder out;
  const auto state = static_cast<uint8_t>(update.standing.state);
  out.Byte(state | (update.info.has_value() ? kHasInfo : 0));
  out.Bytes(update.id.view());
  out.Varint(static_cast<uint64_t>(update.standing.incarnation));
  if (update.info.has_value()) {
    out.Bytes(update.info->gossip_address);
    out.Bytes(update.info->rpc_address);
    out.Bytes(update.info->zone);
    out.Bytes(update.info->rack);
  }
  if (update.standing.state == MemberState::kSuspect) {
    out.Varint(update.accusers.size());
    for (const NodeId& accuser : update.accusers) out.Bytes(accuser.view());
  }
  return out.Take();
}

void SealDatagram(std::string& datagram, ClusterTag cluster) {
  const auto tag = static_cast<uint64_t>(cluster);
  const uint64_t checksum = ChecksumOf(datagram, cluster);
  std::memcpy(datagram.data(), kMagic.data(), kMagic.size());
  datagram[kMagic.size()] = kVersion;
  std::memcpy(datagram.data() + kTagAt, &tag, sizeof(tag));
  std::memcpy(datagram.data() + kChecksumAt, &checksum, sizeof(checksum));
}

Verdict ReadDatagram(std::string_view bytes, ClusterTag cluster, Datagram& read) {
  if (bytes.size() < kHeadBytes || !bytes.starts_with(kMagic)) return Verdict::kGarbled;
  if (bytes[kMagic.size()] != kVersion) return Verdict::kOtherVersion;
  if (NumberAt(bytes, kTagAt) != static_cast<uint64_t>(cluster)) return Verdict::kForeignCluster;
  if (NumberAt(bytes, kChecksumAt) != ChecksumOf(bytes, cluster)) return Verdict::kGarbled;
  return TakeBody(bytes.substr(kHeadBytes), read) ? Verdict::kRead : Verdict::kGarbled;
}

}  // namespace engram::membership
