// The messages of one stream that wait to be sent, framed for gRPC as they leave.
//
// A plain value type: the connection asks for a number of bytes and they are copied once, from the
// message into the output buffer. A single message (every unary call) needs no allocation here. Not
// thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <string>

#include "engram/net/message_reader.h"

namespace engram::net::internal {

class SendQueue {
 public:
  enum class AfterSending : uint8_t { kFree, kKeep };

  // kKeep: the last message stays, for TakeLast(), until another follows.
  void set_after_sending(AfterSending what) { after_sending_ = what; }

  void Push(std::string message);
  // Bytes that wait, prefixes included.
  size_t unsent() const { return unsent_; }
  // Appends the next `n` bytes to `out`. Returns how many messages that completed. REQUIRES: n <=
  // unsent().
  size_t CopyTo(std::string& out, size_t n);
  // The message under way or, with kKeep, sent last; nothing is left to send.
  std::string TakeLast();
  // The same, copied, while it is still needed.
  const std::string& last() const { return front_; }
  void Clear() { TakeLast(); }

 private:
  void BeginMessage(std::string message);
  bool front_done() const { return front_sent_ == kMessagePrefixBytes + front_.size(); }

  std::array<char, kMessagePrefixBytes> prefix_{};
  std::string front_;
  size_t front_sent_ = kMessagePrefixBytes;  // counted from the beginning of the prefix
  std::list<std::string> behind_;
  size_t unsent_ = 0;
  AfterSending after_sending_ = AfterSending::kFree;
};

}  // namespace engram::net::internal
