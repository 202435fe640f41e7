#include "engram/memory/records.h"

#include <gtest/gtest.h>

#include "engram/base/error.h"
#include "engram/memory/keys.h"

namespace engram::memory {
namespace {

Revision SomeRevision() {
  std::mt19937_64 random(3);
  return {WallMillis{1234}, 5, {{7, NodeId("n1")}, 99}, Ulid::Make(WallMillis{1000}, random)};
}

MemoryRecord SomeMemory() {
  MemoryRecord record;
  record.has_links = true;
  record.text_length = 2;
  record.memory.content = "some content";
  record.memory.tags = {"a", "b"};
  record.memory.metadata = {{"k", "v"}, {"l", ""}};
  record.memory.confidence = 0.25;
  record.memory.kind = Kind::kSemantic;
  record.memory.occurred_at = WallMillis{-5};
  record.memory.updated_at = WallMillis{6};
  record.memory.revision = SomeRevision();
  Memory sibling;
  sibling.content = "another";
  sibling.revision.clock = WallMillis{1};
  record.memory.siblings = {sibling};
  return record;
}

TEST(Records, MemoryComesBack) {
  auto back = DecodeMemory(EncodeMemory(SomeMemory()));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_TRUE(back->alive);
  EXPECT_TRUE(back->has_links);
  EXPECT_FALSE(back->has_embedding);
  EXPECT_EQ(back->text_length, 2u);
  EXPECT_EQ(back->memory.content, "some content");
  EXPECT_EQ(back->memory.tags, SomeMemory().memory.tags);
  EXPECT_EQ(back->memory.metadata, SomeMemory().memory.metadata);
  EXPECT_EQ(back->memory.confidence, 0.25);
  EXPECT_EQ(back->memory.kind, Kind::kSemantic);
  EXPECT_EQ(ToInt(back->memory.occurred_at), -5);
  EXPECT_EQ(ToInt(back->memory.updated_at), 6);
  EXPECT_EQ(back->memory.revision, SomeRevision());
  ASSERT_EQ(back->memory.siblings.size(), 1u);
  EXPECT_EQ(back->memory.siblings[0].content, "another");
}

TEST(Records, LogEntryComesBack) {
  LogEntry entry{LogOperation::kStore,  MemoryId("m"), SomeRevision(), 3, "body", {1, 2},
                 {{MemoryId("t"), 0.5}}};
  auto back = DecodeLogEntry(EncodeLogEntry(entry));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->operation, LogOperation::kStore);
  EXPECT_EQ(back->id, entry.id);
  EXPECT_EQ(back->revision, entry.revision);
  EXPECT_EQ(back->line, 3u);
  EXPECT_EQ(back->body, "body");
  EXPECT_EQ(back->embedding, entry.embedding);
  EXPECT_EQ(back->links, entry.links);
}

TEST(Records, IndexEntryComesBack) {
  IndexEntry entry{{{{"apple", 2}, {"pear", 1}}, 3},
                   {Kind::kSemantic, 0.5, WallMillis{77}, {1, ~uint64_t{0}}}};
  auto back = DecodeIndexEntry(EncodeIndexEntry(entry));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->text.terms, entry.text.terms);
  EXPECT_EQ(back->text.length, 3u);
  EXPECT_EQ(back->attributes.features, entry.attributes.features);
  EXPECT_EQ(back->attributes.occurred_at, entry.attributes.occurred_at);
}

TEST(Records, SpaceAndIdentityAndRequestComeBack) {
  SpaceRecord space{{{2, NodeId("n0")}, 9}, {{1, NodeId("n0")}, 1}, WallMillis{4}, 5, 6, 7, 8, 128};
  auto space_back = DecodeSpace(EncodeSpace(space));
  ASSERT_TRUE(space_back.ok());
  EXPECT_EQ(space_back->last, space.last);
  EXPECT_EQ(space_back->assignment, space.assignment);
  EXPECT_EQ(space_back->words, 8u);
  EXPECT_EQ(space_back->dimension, 128u);

  Identity identity{"cluster", NodeId("n0")};
  auto identity_back = DecodeIdentity(EncodeIdentity(identity));
  ASSERT_TRUE(identity_back.ok());
  EXPECT_EQ(identity_back->cluster_id, identity.cluster_id);
  EXPECT_EQ(identity_back->node_id, identity.node_id);

  RequestRecord request{{MemoryId("m"), {{1, NodeId("n0")}, 3}, true, false, false}, ~uint64_t{5}};
  auto request_back = DecodeRequest(EncodeRequest(request));
  ASSERT_TRUE(request_back.ok());
  EXPECT_EQ(request_back->result.version, request.result.version);
  EXPECT_TRUE(request_back->result.created);
  EXPECT_EQ(request_back->fingerprint, request.fingerprint);
}

TEST(Records, EveryTruncationAndAnUnknownFormatAreDamage) {
  const std::string bytes = EncodeMemory(SomeMemory());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(CodeOf(DecodeMemory(std::string_view(bytes).substr(0, size)).status()),
              ErrorCode::kStorageFailed)
        << size;
  }
  EXPECT_FALSE(DecodeMemory("\x7f" + bytes.substr(1)).ok());
  EXPECT_FALSE(DecodeMemory(bytes + "x").ok());
}

TEST(Keys, RequestsSortByTime) {
  std::mt19937_64 random(1);
  const SpaceId space("s");
  const std::string early = RequestKey(space, {Ulid::Make(WallMillis{1000}, random), 9});
  const std::string late = RequestKey(space, {Ulid::Make(WallMillis{1001}, random), 0});
  EXPECT_LT(early, RequestTimeKey(space, WallMillis{1001}));
  EXPECT_LE(RequestTimeKey(space, WallMillis{1001}), late);
  EXPECT_LT(RequestTimeKey(space, WallMillis{1000}), early);
}

TEST(Keys, LogSortsByEpochThenSequence) {
  const SpaceId space("s");
  EXPECT_LT(LogKey(space, {{1, NodeId("b")}, 300}), LogKey(space, {{2, NodeId("a")}, 1}));
  EXPECT_LT(LogKey(space, {{1, NodeId("a")}, 255}), LogKey(space, {{1, NodeId("a")}, 256}));
}

}  // namespace
}  // namespace engram::memory
