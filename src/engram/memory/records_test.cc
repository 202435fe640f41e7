#include "engram/memory/records.h"

#include <gtest/gtest.h>

#include "engram/base/error.h"
#include "engram/memory/keys.h"
#include "engram/memory/record_parts.h"

namespace engram::memory {
namespace {

Revision SomeRevision() {
  std::mt19937_64 random(3);
  return {WallMillis{1234}, 5, {{7, NodeId("n1")}, 99}, Ulid::Make(WallMillis{1000}, random)};
}

VersionVector SomeSeen() {
  return VersionVector({{{1, NodeId("n2")}, 4}, {{7, NodeId("n1")}, 98}});
}

RevisionRecord SomeRevisionRecord() {
  RevisionRecord record;
  record.text_length = 2;
  record.memory.content = "some content";
  record.memory.tags = {"a", "b"};
  record.memory.metadata = {{"k", "v"}, {"l", ""}};
  record.memory.confidence = 0.25;
  record.memory.kind = Kind::kSemantic;
  record.memory.occurred_at = WallMillis{-5};
  record.memory.updated_at = WallMillis{6};
  record.memory.revision = SomeRevision();
  record.seen = SomeSeen();
  return record;
}

MemoryRecord SomeMemory() {
  MemoryRecord record;
  record.has_links = true;
  record.revisions.push_back(SomeRevisionRecord());
  RevisionRecord& sibling = record.revisions.emplace_back();
  sibling.has_embedding = true;
  sibling.memory.content = "another";
  sibling.memory.embedding = {1, 2};
  sibling.memory.revision.clock = WallMillis{1};
  RevisionRecord& tombstone = record.revisions.emplace_back();
  tombstone.alive = false;
  return record;
}

TEST(Records, MemoryComesBack) {
  auto back = DecodeMemory(EncodeMemory(SomeMemory()));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_TRUE(back->has_links);
  ASSERT_EQ(back->revisions.size(), 3u);
  const RevisionRecord& first = back->revisions[0];
  EXPECT_TRUE(first.alive);
  EXPECT_FALSE(first.has_embedding);
  EXPECT_EQ(first.text_length, 2u);
  EXPECT_EQ(first.memory.content, "some content");
  EXPECT_EQ(first.memory.tags, SomeRevisionRecord().memory.tags);
  EXPECT_EQ(first.memory.metadata, SomeRevisionRecord().memory.metadata);
  EXPECT_EQ(first.memory.confidence, 0.25);
  EXPECT_EQ(first.memory.kind, Kind::kSemantic);
  EXPECT_EQ(ToInt(first.memory.occurred_at), -5);
  EXPECT_EQ(ToInt(first.memory.updated_at), 6);
  EXPECT_EQ(first.memory.revision, SomeRevision());
  EXPECT_EQ(first.seen, SomeSeen());
  EXPECT_EQ(back->revisions[1].memory.content, "another");
  EXPECT_EQ(back->revisions[1].memory.embedding, (std::vector<float>{1, 2}));
  EXPECT_FALSE(back->revisions[2].alive);
}

TEST(Records, EmbeddingOfTheFirstRevisionIsKeptElsewhere) {
  MemoryRecord record;
  RevisionRecord& revision = record.revisions.emplace_back(SomeRevisionRecord());
  revision.has_embedding = true;
  revision.memory.embedding = {1, 2};
  auto back = DecodeMemory(EncodeMemory(record));
  EXPECT_TRUE(back->revisions[0].has_embedding);
  EXPECT_TRUE(back->revisions[0].memory.embedding.empty());
}

// As an older program has written them.
std::string FirstFormat(const RevisionRecord& record) {
  Encoder out = parts::Begin();
  out.Byte(1 | 4);  // alive, with links
  parts::Put(out, record.memory.revision);
  out.Varint(record.text_length);
  out.Double(record.memory.confidence);
  out.Byte(static_cast<uint8_t>(record.memory.kind));
  out.Signed(ToInt(record.memory.occurred_at));
  out.Signed(ToInt(record.memory.updated_at));
  out.Bytes(record.memory.content);
  out.Varint(0);  // tags
  out.Varint(0);  // metadata
  out.Varint(0);  // siblings
  return out.Take();
}

TEST(Records, MemoryOfTheFirstFormatHasSeenAllBeforeItInItsLog) {
  auto memory = DecodeMemory(FirstFormat(SomeRevisionRecord()));
  ASSERT_TRUE(memory.ok()) << memory.status();
  EXPECT_TRUE(memory->has_links);
  ASSERT_EQ(memory->revisions.size(), 1u);
  EXPECT_EQ(memory->revisions[0].memory.content, "some content");
  EXPECT_EQ(memory->revisions[0].seen, VersionVector({{{7, NodeId("n1")}, 98}}));
}

TEST(Records, LogEntryOfTheFirstFormatIsAppliedLikeOneOfTheSecond) {
  Encoder out = parts::Begin();
  out.Byte(static_cast<uint8_t>(LogOperation::kStore));
  out.Bytes("m");
  parts::Put(out, SomeRevision());
  out.Varint(3);
  out.Bytes(FirstFormat(SomeRevisionRecord()));
  out.Floats(std::vector<float>{1, 2});
  parts::Put(out, std::vector<Link>{{MemoryId("t"), 0.5}});
  auto entry = DecodeLogEntry(out.Take());
  ASSERT_TRUE(entry.ok()) << entry.status();
  EXPECT_EQ(entry->seen, VersionVector({{{7, NodeId("n1")}, 98}}));
  EXPECT_EQ(entry->line, 3u);
  auto content = DecodeContent(entry->body);
  ASSERT_TRUE(content.ok());
  EXPECT_EQ(content->memory.content, "some content");
}

TEST(Records, LinkOfTheFirstFormatHasNoOrigin) {
  Encoder out = parts::Begin();
  out.Double(0.5);
  auto links = DecodeLinks(out.Take(), MemoryId("t"));
  ASSERT_TRUE(links.ok());
  ASSERT_EQ(links->size(), 1u);
  EXPECT_EQ(links->front().weight, 0.5);
  EXPECT_EQ(links->front().origin, Version());
}

TEST(Records, LinksComeBack) {
  const MemoryId to("t");
  const std::vector<LinkRecord> links{
      {to, 0.5, WallMillis{9}, 1, {{7, NodeId("n1")}, 3}, {}},
      {to, 0.25, WallMillis{8}, 0, {{1, NodeId("n2")}, 5}, SomeSeen()}};
  auto back = DecodeLinks(EncodeLinks(links), to);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(*back, links);
}

TEST(Records, LogEntryComesBack) {
  LogEntry entry;
  entry.operation = LogOperation::kStore;
  entry.id = MemoryId("m");
  entry.revision = SomeRevision();
  entry.seen = SomeSeen();
  entry.line = 3;
  entry.fingerprint = ~uint64_t{7};
  entry.created = true;
  entry.duplicate = true;
  entry.previous = 12;
  entry.body = "body";
  entry.embedding = {1, 2};
  entry.links = {{MemoryId("t"), 0.5}};
  entry.holders = {NodeId("n1"), NodeId("n2")};
  auto back = DecodeLogEntry(EncodeLogEntry(entry));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->operation, LogOperation::kStore);
  EXPECT_EQ(back->id, entry.id);
  EXPECT_EQ(back->revision, entry.revision);
  EXPECT_EQ(back->seen, entry.seen);
  EXPECT_EQ(back->line, 3u);
  EXPECT_EQ(back->fingerprint, entry.fingerprint);
  EXPECT_TRUE(back->created);
  EXPECT_FALSE(back->space_created);
  EXPECT_TRUE(back->duplicate);
  EXPECT_EQ(back->previous, 12u);
  EXPECT_EQ(back->body, "body");
  EXPECT_EQ(back->embedding, entry.embedding);
  EXPECT_EQ(back->links, entry.links);
  EXPECT_EQ(back->holders, entry.holders);
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
  SpaceRecord space;
  space.last = {{2, NodeId("n0")}, 9};
  space.assignment = {{1, NodeId("n0")}, 1};
  space.words = 8;
  space.dimension = 128;
  space.dimension_by = SomeRevision();
  space.siblings = 3;
  space.branch = {{2, NodeId("n1")}, 4};
  space.outbox_entries = 5;
  auto space_back = DecodeSpace(EncodeSpace(space));
  ASSERT_TRUE(space_back.ok());
  EXPECT_EQ(space_back->last, space.last);
  EXPECT_EQ(space_back->assignment, space.assignment);
  EXPECT_EQ(space_back->words, 8u);
  EXPECT_EQ(space_back->dimension, 128u);
  EXPECT_EQ(space_back->dimension_by, space.dimension_by);
  EXPECT_EQ(space_back->siblings, 3u);
  EXPECT_EQ(space_back->branch, space.branch);
  EXPECT_EQ(space_back->outbox_entries, 5u);

  Identity identity{"cluster", NodeId("n0")};
  auto identity_back = DecodeIdentity(EncodeIdentity(identity));
  ASSERT_TRUE(identity_back.ok());
  EXPECT_EQ(identity_back->cluster_id, identity.cluster_id);
  EXPECT_EQ(identity_back->node_id, identity.node_id);

  RequestRecord request{{MemoryId("m"), {{1, NodeId("n0")}, 3}, true, false, false, false},
                        ~uint64_t{5}};
  auto request_back = DecodeRequest(EncodeRequest(request));
  ASSERT_TRUE(request_back.ok());
  EXPECT_EQ(request_back->result.version, request.result.version);
  EXPECT_TRUE(request_back->result.created);
  EXPECT_EQ(request_back->fingerprint, request.fingerprint);
}

// A log after a failover, with a branch in its outbox.
replication::SpaceLog SomeLog() {
  replication::SpaceLog log;
  log.holder.Promise(3, NodeId("n2"));
  log.holder.Follow({3, NodeId("n1")});
  log.history =
      *replication::EpochHistory::FromRows({{{1, NodeId("n0")}, 7}, {{3, NodeId("n1")}, 4}});
  log.logged = VersionVector(log.history.rows());
  log.logged.Add({{1, NodeId("n2")}, 9});
  log.outbox = VersionVector({{{1, NodeId("n0")}, 8}, {{3, NodeId("n2")}, 2}});
  log.outbox_entries = 3;
  log.holders = {NodeId("n1"), NodeId("n0"), NodeId("n2")};
  log.assignment = {{3, NodeId("n1")}, 1};
  return log;
}

SpaceRecord EndsOf(const replication::SpaceLog& log, const Version& branch) {
  SpaceRecord ends;
  ends.last = log.last();
  ends.branch = branch;
  ends.outbox_entries = log.outbox_entries;
  return ends;
}

TEST(Records, SpaceLogOfACopyThatIsBeingTakenOverComesBack) {
  replication::SpaceLog log = SomeLog();
  log.BecomeIncomplete();
  const SpaceRecord ends = EndsOf(log, {});
  EXPECT_EQ(log.complete_to, log.last());
  EXPECT_EQ(*DecodeSpaceLog(EncodeSpaceLog(log, ends), ends), log);
  log.base = log.last();
  EXPECT_EQ(*DecodeSpaceLog(EncodeSpaceLog(log, ends), ends), log);
  log.complete_to = {};
  log.forgetful = true;
  EXPECT_EQ(*DecodeSpaceLog(EncodeSpaceLog(log, ends), ends), log);
}

TEST(Records, SpaceLogComesBack) {
  const replication::SpaceLog log = SomeLog();
  const SpaceRecord ends = EndsOf(log, {{3, NodeId("n2")}, 2});
  auto back = DecodeSpaceLog(EncodeSpaceLog(log, ends), ends);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(*back, log);
  EXPECT_EQ(*DecodeSpaceLog(EncodeSpaceLog({}, {}), {}), replication::SpaceLog());
}

TEST(Records, EveryKindOfHolderStateComesBack) {
  const Epoch epoch{3, NodeId("n1")};
  replication::SpaceLog log;
  for (int kind = 0; kind < 5; ++kind) {
    replication::HolderState holder;
    if (kind == 1) holder.Promise(2, NodeId("n2"));
    if (kind == 2 || kind == 3) holder.Follow(epoch);
    if (kind == 3) holder.Promise(5, NodeId("n2"));
    if (kind == 4) {
      holder.Promise(3, NodeId("n1"));
      holder.TakeOffice(NodeId("n1"));
    }
    log.holder = holder;
    EXPECT_EQ(DecodeSpaceLog(EncodeSpaceLog(log, {}), {})->holder, holder) << kind;
  }
}

TEST(Records, SpaceLogStaysTheSameWhenOnlyItsEndsGrow) {
  replication::SpaceLog log = SomeLog();
  const std::string before = EncodeSpaceLog(log, EndsOf(log, {{3, NodeId("n2")}, 2}));
  log.history.Append({{3, NodeId("n1")}, 5});
  log.logged.Add({{3, NodeId("n1")}, 5});
  log.outbox.Add({{3, NodeId("n2")}, 3});
  const SpaceRecord ends = EndsOf(log, {{3, NodeId("n2")}, 3});
  EXPECT_EQ(EncodeSpaceLog(log, ends), before);
  EXPECT_EQ(*DecodeSpaceLog(before, ends), log);
}

TEST(Records, SpaceOfTheFirstFormatHadThisNodeAlone) {
  SpaceRecord record;
  record.last = {{1, NodeId("n0")}, 9};
  record.assignment = {{1, NodeId("n0")}, 1};
  const replication::SpaceLog log = SpaceLogOf(record, NodeId("n0"));
  EXPECT_TRUE(log.holder.IsPrimary(NodeId("n0")));
  EXPECT_EQ(log.NextPosition(), (Version{{1, NodeId("n0")}, 10}));
  EXPECT_EQ(log.holders, std::vector<NodeId>{NodeId("n0")});
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

TEST(Keys, PositionOfALogKeyIsReadBack) {
  const SpaceId space("s");
  const Version position{{7, NodeId("node")}, 300};
  EXPECT_EQ(PositionOf(space, LogKey(space, position)), position);
  EXPECT_EQ(PositionOf(space, "s"), std::nullopt);
}

TEST(Keys, OutboxSortsByClock) {
  const SpaceId space("s");
  Revision early{WallMillis{1000}, 3, {{2, NodeId("b")}, 9}, {}};
  Revision late{WallMillis{1000}, 4, {{1, NodeId("a")}, 1}, {}};
  EXPECT_LT(OutboxKey(space, early), OutboxKey(space, late));
}

}  // namespace
}  // namespace engram::memory
