#include "engram/server/request_metadata.h"

#include <gtest/gtest.h>

#include "engram/base/error.h"

namespace engram::server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr TimePoint kNow{seconds(100)};

TEST(OperationDeadline, LeavesTheAnswerATwentiethOfTheClientsTimeToArrive) {
  EXPECT_EQ(OperationDeadline(kNow + milliseconds(200), seconds(10), kNow),
            kNow + milliseconds(190));
  EXPECT_EQ(OperationDeadline(kNow + seconds(10), seconds(10), kNow),
            kNow + seconds(10) - milliseconds(50));
}

TEST(OperationDeadline, IsTheNodesOwnIfThatIsEarlier) {
  EXPECT_EQ(OperationDeadline(kNow + seconds(50), seconds(10), kNow), kNow + seconds(10));
  EXPECT_EQ(OperationDeadline(TimePoint::max(), seconds(10), kNow), kNow + seconds(10));
}

TEST(OperationDeadline, ThatHasPassedStaysAsItIs) {
  EXPECT_EQ(OperationDeadline(kNow - seconds(1), seconds(10), kNow), kNow - seconds(1));
}

TEST(RequestMetadata, AnAcknowledgementIsOneOfThree) {
  net::Metadata metadata;
  EXPECT_FALSE(AckFrom(metadata)->has_value());
  metadata.Add("engram-ack", "quorum");
  EXPECT_EQ(*AckFrom(metadata), routing::Ack::kQuorum);
  net::Metadata bad;
  bad.Add("engram-ack", "most");
  EXPECT_EQ(DetailOf(AckFrom(bad).status()).field, "engram-ack");
}

TEST(RequestMetadata, WhatTheWriteAsksForComesBeforeTheSpacesAndTheNodesOwn) {
  NodeConfig config;
  config.ack = routing::Ack::kQuorum;
  config.acks["ledger"] = routing::Ack::kAll;
  EXPECT_EQ(AckOf(config, std::nullopt, "notes"), routing::Ack::kQuorum);
  EXPECT_EQ(AckOf(config, std::nullopt, "ledger"), routing::Ack::kAll);
  EXPECT_EQ(AckOf(config, routing::Ack::kPrimary, "ledger"), routing::Ack::kPrimary);
}

TEST(RequestMetadata, ASessionIsOfTheRequestsSpace) {
  net::Metadata metadata;
  EXPECT_FALSE(SessionFrom(metadata, "notes")->has_value());
  metadata.Add("engram-session", "2:node-1:5");
  EXPECT_EQ(**SessionFrom(metadata, "notes"), (Version{{2, NodeId("node-1")}, 5}));
  net::Metadata other;
  other.Add("engram-session", "ledger=2:node-1:5");
  EXPECT_FALSE(SessionFrom(other, "notes")->has_value());
  net::Metadata bad;
  bad.Add("engram-session", "5");
  EXPECT_EQ(DetailOf(SessionFrom(bad, "notes").status()).field, "engram-session");
}

}  // namespace
}  // namespace engram::server
