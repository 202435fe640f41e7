// The stage of tests with peers that break the rules: a server, a well-behaved client that was
// served before and has to be served after, and a RawPeer for the attack.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "engram/net/testing/fixture.h"
#include "engram/net/testing/raw_peer.h"
#include "engram/net/testing/resident_memory.h"

namespace engram::net::testing {

inline constexpr uint32_t kEnhanceYourCalm = 11;

// A message in gRPC's framing.
inline std::string Message(std::string_view body, uint8_t compressed = 0) {
  std::string out(1, static_cast<char>(compressed));
  for (int shift : {24, 16, 8, 0}) out += static_cast<char>(body.size() >> shift);
  return out.append(body);
}

// One 32-bit number, as RST_STREAM and WINDOW_UPDATE carry it.
inline std::string Number(uint32_t value) {
  std::string out;
  for (int shift : {24, 16, 8, 0}) out += static_cast<char>(value >> shift);
  return out;
}

// SETTINGS with one entry.
inline Frame Setting(uint16_t id, uint32_t value) {
  return {kSettings, 0, 0,
          std::string{static_cast<char>(id >> 8), static_cast<char>(id)} + Number(value)};
}
inline Frame SettingsAck() { return {kSettings, 1, 0, ""}; }
inline constexpr uint16_t kHeaderTableSize = 1;
inline constexpr uint16_t kInitialWindowSize = 4;

class HostilePeer : public NetTest {
 protected:
  // The attack still stands: peer_ is closed only after this.
  ~HostilePeer() override {
    ExpectLittleMemory();
    ExpectOthersServed();
  }

  void Start(const ServerOptions& options = {}) {
    StartServer(options);
    EXPECT_TRUE(Call(kUnary, "x").status.ok());
    peer_.emplace(server_->port());
    resident_before_ = ResidentBytes();
  }
  void ExpectOthersServed() { EXPECT_EQ(Call(kUnary, "meanwhile").message, "meanwhile"); }
  // Of messages, whatever the peer makes the server wait for.
  int64_t BytesHeld() { return loop().counters().bytes_held.value(); }
  // What the peer sends is in here too, where a test makes it all at once.
  void ExpectLittleMemory() const {
    constexpr int64_t kBytesMax = 16 << 20;
    if (!kResidentMemoryIsOurs) return;
    EXPECT_LT(ResidentBytes() - resident_before_, kBytesMax);
  }
  // The connection was ended as one that floods.
  void ExpectCutOff() {
    EXPECT_EQ(GoawayCode(), kEnhanceYourCalm);
    EXPECT_EQ(Count(&Counters::connections_flooding), 1u);
  }
  // The same where the peer has left no room for a GOAWAY, or does not come to read it.
  void ExpectCutOffAtOnce() {
    EXPECT_TRUE(peer_->SeesEnd());
    EXPECT_EQ(Count(&Counters::connections_flooding), 1u);
  }
  // Sends one call and returns the header block it is answered with, undecoded.
  std::string AnswerTo(std::string_view method, std::string_view body,
                       std::string_view content_type) {
    peer_->Begin();
    peer_->Send(RequestHeaders(1, method, content_type));
    peer_->Send(Frame{kData, kEndStream, 1, std::string(body)});
    const std::optional<Frame> headers = peer_->ReceiveType(kHeaders);
    return headers.has_value() ? headers->payload : "";
  }
  uint32_t GoawayCode() {
    const std::optional<Frame> frame = peer_->ReceiveType(kGoaway);
    if (!frame.has_value()) return 0;
    uint32_t code = 0;
    for (size_t i = 4; i < 8; ++i) code = code << 8 | static_cast<uint8_t>(frame->payload[i]);
    return code;
  }
  // Sends it `times` times, until the server has had enough; others are served in the midst of it.
  void Flood(const std::string& bytes, int times) {
    std::string batch;
    bool asked = false;
    for (int i = 0; i < times; ++i) {
      batch += bytes;
      if (batch.size() < 64u << 10 && i + 1 < times) continue;
      if (!peer_->Send(batch)) return;
      if (!std::exchange(asked, true)) ExpectOthersServed();
      batch.clear();
    }
  }

  std::optional<RawPeer> peer_;

 private:
  int64_t resident_before_ = 0;
};

}  // namespace engram::net::testing
