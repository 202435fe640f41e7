// The gossip datagrams that anybody may send to a node, and a membership machine that hears them.
//
// The records that ride along, and the messages of their comparison, are fed too.
//
// Input: pieces, each a length (2 bytes), a byte that says what to do with it, and that many bytes.
// A piece is heard as it is, or put behind a good head and sealed, so that the checksum hides
// nothing. Between the pieces time passes. What is read is written again to the same bytes, and the
// machine keeps its bounds.
#include <cstdint>
#include <cstdlib>
#include <random>

#include "engram/base/codec.h"
#include "engram/membership/swim.h"
#include "engram/membership/testing/stored_gossip.h"

namespace engram::fuzz {
namespace {

using membership::ClusterTag;
using membership::Datagram;
using membership::Swim;
using membership::Verdict;

constexpr size_t kHeadBytes = 19;
constexpr size_t kDatagramBytesMax = 1'400;
const ClusterTag kCluster = membership::TagOf("cluster");

void Require(bool holds) {
  if (!holds) std::abort();
}

void CheckRewritten(const Datagram& read) {
  std::string written = membership::BeginDatagram(read.sender, read.message);
  for (const membership::Update& update : read.updates) {
    written += membership::EncodeUpdate(update);
  }
  if (!read.rider.empty()) written += membership::kRiderFollows + read.rider;
  membership::SealDatagram(written, kCluster);
  Datagram again;
  Require(membership::ReadDatagram(written, kCluster, again) == Verdict::kRead);
  Require(again.sender == read.sender && again.updates == read.updates);
  Require(again.rider == read.rider);
  Require(again.message.index() == read.message.index());
}

class Heard {
 public:
  Heard() {
    std::string known = membership::BeginDatagram(NodeId("a"), membership::FullState{});
    for (const char* id : {"a", "b", "c"}) {
      known += membership::EncodeUpdate({NodeId(id), {}, Info(id), {}});
    }
    membership::SealDatagram(known, kCluster);
    Require(swim_.MergeFullState(known, now_).ok());
  }

  void Hear(const std::string& datagram) {
    Datagram read;
    if (membership::ReadDatagram(datagram, kCluster, read) == Verdict::kRead) CheckRewritten(read);
    swim_.OnDatagram(datagram, "x:1", now_);
    (void)swim_.MergeFullState(datagram, now_);
    HearCompared(datagram);
    Check();
  }

  void Pass() {
    now_ = std::max(now_, swim_.NextWake());
    swim_.Tick(now_);
    Check();
  }

 private:
  static membership::MemberInfo Info(const std::string& id) { return {id, id, "", ""}; }

  // The same bytes as each message of a comparison.
  void HearCompared(const std::string& bytes) {
    (void)records_.Compare(bytes);
    (void)records_.Settle(bytes);
    (void)records_.Complete(bytes);
    (void)records_.Take(bytes);
    records_.TakeLearnt();
  }

  void Check() {
    for (const Swim::Output& output : swim_.TakeOutput()) {
      const auto* send = std::get_if<Swim::Send>(&output);
      if (send == nullptr) continue;
      Datagram read;
      Require(send->datagram.size() <= kDatagramBytesMax);
      Require(membership::ReadDatagram(send->datagram, kCluster, read) == Verdict::kRead);
    }
    const membership::Reach reach = swim_.ReachAt(now_);
    Require(reach.reachable >= 1 && reach.reachable <= reach.total);
    Require(swim_.members().Find(NodeId("me")) != nullptr);
    Require(swim_.NextWake() != kNever);
  }

  std::mt19937_64 random_{1};
  TimePoint now_{std::chrono::seconds(1000)};
  membership::StoredGossip records_;
  Swim swim_{{NodeId("me"), membership::Incarnation{5}, Info("me"), kCluster},
             {},
             random_,
             now_,
             &records_};
};

std::string Datagrammed(std::string_view body, bool sealed) {
  if (!sealed) return std::string(body);
  std::string datagram(kHeadBytes, '\0');
  datagram += body;
  membership::SealDatagram(datagram, kCluster);
  return datagram;
}

}  // namespace
}  // namespace engram::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  engram::fuzz::Heard heard;
  while (rest.size() >= 3) {
    const size_t length = static_cast<uint8_t>(rest[0]) << 8 | static_cast<uint8_t>(rest[1]);
    const auto how = static_cast<uint8_t>(rest[2]);
    rest.remove_prefix(3);
    const std::string_view piece = rest.substr(0, length);
    rest.remove_prefix(piece.size());
    heard.Hear(engram::fuzz::Datagrammed(piece, (how & 1) != 0));
    for (int i = how >> 1 & 7; i > 0; --i) heard.Pass();
  }
  return 0;
}
