// What the connections of one loop share: the buffer they receive into, the buffer they send from,
// and the list of those that have something to send. Connections are flushed together once per
// wake-up, so that everything that one wake-up produced for a connection leaves in one write.
//
// Owned by EventLoop; loop thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace engram::net {
class EventLoop;
}

namespace engram::net::internal {

class Transport;

class LoopIo {
 public:
  static constexpr size_t kReceiveBytes = 128u << 10;

  explicit LoopIo(EventLoop& loop) : loop_(loop), receive_(new uint8_t[kReceiveBytes]) {}

  uint8_t* receive_buffer() { return receive_.get(); }
  // Empty between flushes. A transport whose socket is full takes it away, contents and all.
  std::string& output() { return output_; }

  // The transport is asked to flush after the handlers of this wake-up.
  void FlushSoon(std::shared_ptr<Transport> transport);
  // How many there have been: between two values that are equal, what is sent leaves together.
  uint64_t flushes() const { return flushes_; }

  // Forgets the transports that wait for a flush. For the end of the loop.
  void Clear() { dirty_.clear(); }

 private:
  void Flush();

  EventLoop& loop_;
  std::unique_ptr<uint8_t[]> receive_;
  std::string output_;
  std::vector<std::shared_ptr<Transport>> dirty_;
  std::vector<std::shared_ptr<Transport>> flushing_;
  uint64_t flushes_ = 0;
};

}  // namespace engram::net::internal
