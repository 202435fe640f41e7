#include "engram/memory/fingerprint.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>

namespace engram::memory {
namespace {

StoreCommand SomeStore() {
  StoreCommand command;
  command.space = SpaceId("s");
  command.content = "text";
  return command;
}

uint64_t FingerprintOfStore(StoreCommand command) {
  return FingerprintOf(PreparedStore{std::move(command), {}});
}

TEST(Fingerprint, EveryPartOfAStoreCounts) {
  const std::vector<std::function<void(StoreCommand&)>> changes = {
      [](StoreCommand&) {},
      [](StoreCommand& c) { c.space = SpaceId("t"); },
      [](StoreCommand& c) { c.id = MemoryId("m"); },
      [](StoreCommand& c) { c.content = "other"; },
      [](StoreCommand& c) { c.embedding = {1}; },
      [](StoreCommand& c) {
        c.tags = {"ab", "c"};
      },
      [](StoreCommand& c) {
        c.tags = {"a", "bc"};
      },
      [](StoreCommand& c) {
        c.metadata = {{"a", "bc"}};
      },
      [](StoreCommand& c) {
        c.metadata = {{"ab", "c"}};
      },
      [](StoreCommand& c) {
        c.links.assign(1, {MemoryId("m"), 0.5});
      },
      [](StoreCommand& c) {
        c.links.assign(1, {MemoryId("m"), 0.6});
      },
      [](StoreCommand& c) { c.confidence = 1; },
      [](StoreCommand& c) { c.kind = Kind::kEpisodic; },
      [](StoreCommand& c) { c.occurred_at = WallMillis{0}; },
  };
  std::set<uint64_t> fingerprints;
  for (const auto& change : changes) {
    StoreCommand command = SomeStore();
    change(command);
    fingerprints.insert(FingerprintOfStore(command));
  }
  EXPECT_EQ(fingerprints.size(), changes.size());
}

TEST(Fingerprint, IdentityAndCreateSpaceDoNotCount) {
  StoreCommand command = SomeStore();
  command.identity.line = 7;
  command.create_space = CreateSpace::kYes;
  EXPECT_EQ(FingerprintOfStore(command), FingerprintOfStore(SomeStore()));
}

TEST(Fingerprint, ForgetAndLinkAreToldApart) {
  const SpaceId space("s");
  const std::set<uint64_t> fingerprints = {
      FingerprintOf(ForgetCommand{space, MemoryId("a"), {}}),
      FingerprintOf(ForgetCommand{space, MemoryId("b"), {}}),
      FingerprintOf(LinkCommand{space, MemoryId("a"), MemoryId("b"), 1, {}}),
      FingerprintOf(LinkCommand{space, MemoryId("b"), MemoryId("a"), 1, {}}),
      FingerprintOf(LinkCommand{space, MemoryId("a"), MemoryId("b"), 0.5, {}}),
  };
  EXPECT_EQ(fingerprints.size(), 5u);
}

}  // namespace
}  // namespace engram::memory
