// A connected TCP socket without a protocol: brings received bytes in, takes bytes to send out, one
// write per wake-up.
//
// Held by shared_ptr: the waits on the socket and the loop's flush list keep it alive, so that it
// can be closed from within its own call-backs. Loop thread only.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "engram/net/event_loop.h"

namespace engram::net::internal {

using Socket = boost::asio::ip::tcp::socket;

class Transport : public std::enable_shared_from_this<Transport> {
 public:
  // A server stops reading while its peer does not read: what it still receives would only make
  // more output. A client must go on, or the two would wait for each other.
  enum class WhenBlocked : uint8_t { kStopReading, kKeepReading };

  Transport(EventLoop& loop, Socket socket, WhenBlocked when_blocked);
  virtual ~Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  EventLoop& loop() const { return loop_; }
  bool closed() const { return closed_; }

  // Begins to read.
  void Open();
  // There is something to send: asks to be flushed after the handlers of this wake-up.
  void FlushSoon();
  // Closes the socket and calls OnClosed(); what is unsent is lost. Later calls do nothing.
  void Close(std::string_view reason);

 protected:
  // Enough for one write; a transport with more to send lets the others of its loop go first.
  static constexpr size_t kFlushBytes = 256u << 10;

  // Takes received bytes.
  virtual void OnBytes(const uint8_t* data, size_t size) = 0;
  // Appends up to about kFlushBytes to `out`. False: there is no more at present.
  virtual bool FillOutput(std::string& out) = 0;
  // Everything so far has been handed to the socket.
  virtual void OnFlushed() = 0;
  // Called exactly once, at the end of a transport that was opened.
  virtual void OnClosed(std::string_view reason) = 0;

 private:
  friend class LoopIo;

  void AwaitReadable();
  void Receive();
  void Flush();
  void AwaitWritable();
  // Sends from `offset` on and returns how far it came; closes on errors.
  size_t Write(const std::string& bytes, size_t offset);

  EventLoop& loop_;
  Socket socket_;
  std::string unsent_;  // what the socket did not take
  size_t unsent_offset_ = 0;
  const WhenBlocked when_blocked_;
  bool closed_ = false;
  bool flush_requested_ = false;
  bool blocked_ = false;
  bool reading_ = false;
};

}  // namespace engram::net::internal
