// Comparisons of two tables as a driver makes them, for tests.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "engram/cluster/testing/gossiped_table.h"

namespace engram::cluster {

// What went over the wire.
struct Traffic {
  size_t rounds = 0;
  size_t bytes = 0;
  size_t message_bytes_max = 0;

  void Count(const std::string& message) {
    bytes += message.size();
    message_bytes_max = std::max(message_bytes_max, message.size());
  }
};

// One comparison; whether there is more to be exchanged. `meanwhile` is called before each message
// is handled.
template <class Meanwhile>
bool CompareOnce(GossipedTable& asks, GossipedTable& answers, Traffic& traffic,
                 Meanwhile meanwhile) {
  const auto count = [&](const std::string& message) {
    traffic.Count(message);
    meanwhile();
    return message;
  };
  ++traffic.rounds;
  const std::string versions = count(answers.gossip.Compare(count(asks.gossip.Digest())).value());
  const auto settlement = asks.gossip.Settle(versions).value();
  if (settlement.equal) return settlement.more;
  const std::string records = count(answers.gossip.Complete(count(settlement.message)).value());
  EXPECT_TRUE(asks.gossip.Take(records).ok());
  return settlement.more;
}

// Until there is no more. Fails the test after `rounds_max`.
inline Traffic Compare(GossipedTable& asks, GossipedTable& answers, size_t rounds_max = 200) {
  Traffic traffic;
  while (CompareOnce(asks, answers, traffic, [] {}) && traffic.rounds < rounds_max) {
  }
  EXPECT_LT(traffic.rounds, rounds_max);
  return traffic;
}

}  // namespace engram::cluster
