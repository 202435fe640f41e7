// What one event loop has done on the wire, for metrics and for tests that hold promises such as
// "one copy in, one out".
//
// Each loop owns one Counters and is its only writer; any thread may read. Sum over the loops for
// the whole process.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string_view>

namespace engram::net {

// Both are written by one thread, read by any: no locked instruction on the hot path.
class Counter {
 public:
  void Add(uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// A count that also goes down.
class Gauge {
 public:
  void Add(int64_t n) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_{0};
};

struct Counters {
  // Every byte of a message is counted once per copy: from the receive buffer into the message, and
  // from the message into the output buffer. There are no other copies.
  Counter messages_received;
  Counter message_bytes_received;
  Counter messages_inflated;       // of those received; their bytes as they were on the wire
  Counter message_bytes_inflated;  // and those that came of them
  Counter messages_sent;
  Counter message_bytes_sent;

  // HTTP/2 streams of both sides. What has begun and not ended is open: for these, and for
  // connections and calls below.
  Counter streams_begun;
  Counter streams_ended;

  Counter socket_reads;

  // Server side. The second group counts how often a bound of ServerOptions was hit.
  Counter connections_accepted;
  Counter connections_closed;
  Counter calls_begun;
  Counter calls_ended;  // by their handlers or against their will
  Counter calls_cancelled;
  Counter calls_deadline_exceeded;
  Counter connections_refused;     // connections_max, connections_per_address_max
  Counter connections_unfinished;  // preface_timeout
  Counter connections_unused;      // first_request_timeout
  Counter connections_idle;        // connection_idle_max
  Counter connections_old;         // connection_age_max, connection_age_grace
  Counter tls_handshakes_failed;   // no certificate of ours, no TLS, no ALPN; channel side too
  Counter connections_flooding;    // resets_max, control_frames_max, nghttp2's own bounds
  Counter streams_refused;         // concurrent_streams_max
  Counter header_lists_refused;    // header_bytes_max, metadata_bytes_max
  Counter messages_refused;        // message_bytes_max, malformed or damaged ones; client side too
  Counter messages_over_budget;    // bytes_held_max
  Counter requests_refused;        // unknown method, not POST, not gRPC

  // Of messages that are under way in either direction: received in part or not yet read, waiting
  // to be sent.
  Gauge bytes_held;

  // Channel side.
  Counter channels_acquired;  // from a ConnectionPool
  Counter channels_opened;    // because none was there
  Counter connects;
  Counter connects_failed;
  Counter connections_lost;
  Counter keepalives_sent;    // server side too
  Counter keepalives_missed;  // server side too
};

// The one place for their names, which are those of the members.
struct CounterName {
  std::string_view name;
  Counter Counters::*counter;
};
struct GaugeName {
  std::string_view name;
  Gauge Counters::*gauge;
};
std::span<const CounterName> CounterNames();
std::span<const GaugeName> GaugeNames();

}  // namespace engram::net
