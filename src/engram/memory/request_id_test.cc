// One effect per request id (SPEC §4, promise 5).
#include "engram/memory/testing/engine_fixture.h"

namespace engram::memory {
namespace {

using ::testing::HasSubstr;

class RequestIds : public EngineTest {
 protected:
  uint64_t Sequence() { return engine_->FindSpace("space")->version.sequence; }
};

TEST_F(RequestIds, RepeatedStoreGivesTheRememberedResult) {
  StoreCommand command = MakeStore("m1", "text");
  auto first = Store(command);
  auto second = Store(command);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_FALSE(first->repeated);
  EXPECT_TRUE(second->repeated);
  EXPECT_EQ(second->version, first->version);
  EXPECT_EQ(second->created, first->created);
  EXPECT_EQ(Get("m1")->content, "text");
  EXPECT_EQ(Sequence(), 2u);
}

TEST_F(RequestIds, UsedForAnotherRequestIsRefusedAndAppliesNothing) {
  const StoreCommand command = MakeStore("m1", "text");
  ASSERT_TRUE(Store(command).ok());
  StoreCommand other = command;
  other.content = "another text under the same id";
  auto refused = Store(other);
  EXPECT_EQ(InvalidField(refused), "request_id");
  EXPECT_THAT(refused.status().ToString(), HasSubstr("was used for another request"));
  EXPECT_EQ(Get("m1")->content, "text");
  EXPECT_EQ(Sequence(), 2u);
  ForgetCommand forget{space_, MemoryId("m1"), command.identity};
  auto call = [&](auto done) { engine_->Forget(forget, std::move(done)); };
  EXPECT_EQ(InvalidField(Await(call)), "request_id");
  EXPECT_TRUE(Get("m1").ok());
  EXPECT_TRUE(Store(command)->repeated);
  Open();
  EXPECT_EQ(InvalidField(Store(other)), "request_id");
  EXPECT_TRUE(Store(command)->repeated);
}

TEST_F(RequestIds, UsedForAnotherRequestWithinOneGroupIsRefused) {
  std::promise<void> queued;
  engine_->Store(MakeStore("m0", "text"), [&](auto) { queued.get_future().wait(); });
  StoreCommand command = MakeStore("m1", "text");
  std::promise<absl::StatusOr<WriteResult>> first;
  std::promise<absl::StatusOr<WriteResult>> second;
  engine_->Store(command, [&](auto result) { first.set_value(std::move(result)); });
  command.id = MemoryId("m2");
  engine_->Store(command, [&](auto result) { second.set_value(std::move(result)); });
  queued.set_value();
  EXPECT_TRUE(first.get_future().get().ok());
  EXPECT_EQ(InvalidField(second.get_future().get()), "request_id");
  EXPECT_EQ(CodeOf(Get("m2").status()), ErrorCode::kNotFound);
}

TEST_F(RequestIds, WhoMayCreateTheSpaceIsNotPartOfTheRequest) {
  StoreCommand command = MakeStore("m1", "text");
  ASSERT_TRUE(Store(command).ok());
  command.create_space = CreateSpace::kNo;
  EXPECT_TRUE(Store(command)->repeated);
}

TEST_F(RequestIds, LinesOfOneRequestAreApart) {
  StoreCommand command = MakeStore("", "text");
  command.id.reset();
  auto first = Store(command);
  command.identity.line = 1;
  auto second = Store(command);
  EXPECT_FALSE(second->repeated);
  EXPECT_NE(first->id, second->id);
}

TEST_F(RequestIds, RepetitionWithinOneGroupIsRecognised) {
  // The first write's `done` holds the commit thread until the others are queued, so that they form
  // one group.
  std::promise<void> queued;
  engine_->Store(MakeStore("m0", "text"), [&](auto) { queued.get_future().wait(); });
  StoreCommand command = MakeStore("m1", "text");
  std::promise<absl::StatusOr<WriteResult>> first;
  std::promise<absl::StatusOr<WriteResult>> second;
  engine_->Store(command, [&](auto result) { first.set_value(std::move(result)); });
  engine_->Store(command, [&](auto result) { second.set_value(std::move(result)); });
  queued.set_value();
  auto original = first.get_future().get();
  auto repeated = second.get_future().get();
  EXPECT_FALSE(original->repeated);
  EXPECT_TRUE(repeated->repeated);
  EXPECT_EQ(repeated->version, original->version);
}

TEST_F(RequestIds, AreRememberedOverReopening) {
  StoreCommand command = MakeStore("m1", "text");
  auto first = Store(command);
  Open();
  auto second = Store(command);
  EXPECT_TRUE(second->repeated);
  EXPECT_EQ(second->version, first->version);
}

TEST_F(RequestIds, RepeatedStoreDoesNotUndoAForget) {
  StoreCommand command = MakeStore("m1", "text");
  ASSERT_TRUE(Store(command).ok());
  ASSERT_TRUE(Forget("m1").ok());
  EXPECT_TRUE(Store(command)->repeated);
  EXPECT_EQ(CodeOf(Get("m1").status()), ErrorCode::kNotFound);
}

TEST_F(RequestIds, RepeatedForgetAndLinkSucceedAgain) {
  ASSERT_TRUE(Store("m1", "text").ok());
  ASSERT_TRUE(Store("m2", "text").ok());
  LinkCommand link{space_, MemoryId("m1"), MemoryId("m2"), 0.5, NewIdentity()};
  ForgetCommand forget{space_, MemoryId("m2"), NewIdentity()};
  for (bool repeated : {false, true}) {
    auto linked = Await([&](auto done) { engine_->Link(link, std::move(done)); });
    EXPECT_EQ(linked->repeated, repeated);
  }
  for (bool repeated : {false, true}) {
    auto forgotten = Await([&](auto done) { engine_->Forget(forget, std::move(done)); });
    EXPECT_EQ(forgotten->repeated, repeated);
  }
}

TEST_F(RequestIds, FailedRequestIsNotRemembered) {
  ForgetCommand forget{space_, MemoryId("m1"), NewIdentity()};
  ASSERT_TRUE(Store("other", "text").ok());
  auto call = [&](auto done) { engine_->Forget(forget, std::move(done)); };
  EXPECT_EQ(CodeOf(Await(call).status()), ErrorCode::kNotFound);
  ASSERT_TRUE(Store("m1", "text").ok());
  EXPECT_TRUE(Await(call).ok());
}

TEST_F(RequestIds, TooOldIsRefusedAndLongForgotten) {
  StoreCommand command = MakeStore("m1", "text");
  ASSERT_TRUE(Store(command).ok());
  now_ += 3'600'001;
  EXPECT_EQ(InvalidField(Store(command)), "request_id");
  // Much later a write sweeps the old results out; newer ones are still known.
  now_ += 10 * 3'600'000;
  StoreCommand recent = MakeStore("m2", "text");
  ASSERT_TRUE(Store(recent).ok());
  ASSERT_TRUE(Store("m3", "text").ok());
  EXPECT_TRUE(Store(recent)->repeated);
}

}  // namespace
}  // namespace engram::memory
