// What the replication of a node has done, for metrics.
#pragma once

#include "engram/net/counters.h"

namespace engram::cluster {

// Written on the replication loop, read by any thread.
struct ReplicationCounters {
  net::Counter frames_sent;
  net::Counter bytes_sent;  // of frames
  net::Counter messages_sent;
  net::Counter messages_dropped;  // by a bound, or with a stream that was lost
  net::Counter streams_opened;    // and greeted by the other node
  net::Counter streams_lost;      // and those that could not be opened
  net::Counter ports_refused;

  net::Counter frames_received;
  net::Counter bytes_received;
  net::Counter messages_received;
  net::Counter messages_ignored;  // for a former life, or of an unknown kind
  net::Counter frames_refused;    // a wrong checksum, or malformed

  // Pieces of copies, by the holder that is not primary: compared, and not the same though both had
  // the same log, so that the primary's took its place.
  net::Counter pieces_compared;
  net::Counter pieces_mended;
};

}  // namespace engram::cluster
