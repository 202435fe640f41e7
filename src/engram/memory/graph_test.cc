// The engine's graphs: built in the background, back after reopening, never wrong meanwhile.
#include <thread>

#include "engram/memory/testing/engine_fixture.h"

namespace engram::memory {
namespace {

class Graph : public EngineTest {
 protected:
  void SetUp() override {
    exact_vectors_max_ = 300;
    Open();
  }

  std::vector<float> Point() {
    std::normal_distribution<float> around(0, 1);
    std::vector<float> point(8);
    for (float& value : point) value = around(random_);
    return point;
  }

  void Fill(int count) {
    for (int i = 0; i < count; ++i) {
      StoreCommand command = MakeStore("m" + std::to_string(points_.size()), "text");
      command.embedding = Point();
      points_.push_back(command.embedding);
      ASSERT_TRUE(Store(command).ok());
    }
  }

  void AwaitGraphs() {
    while (!engine_->BackgroundIdle()) std::this_thread::yield();
  }

  // Each memory is found first by its own embedding.
  void ExpectAllFound() {
    double found = 0;
    double asked = 0;
    for (size_t i = 0; i < points_.size(); i += 7) {
      RecallQuery query = MakeQuery("");
      query.embedding = points_[i];
      query.limit = 1;
      found += RecallIds(query).front() == "m" + std::to_string(i) ? 1 : 0;
      asked += 1;
    }
    EXPECT_GE(found, 0.99 * asked);
  }

  std::vector<std::vector<float>> points_;
};

TEST_F(Graph, FindsEverythingWhileItIsBuiltAndAfter) {
  Fill(4000);
  ExpectAllFound();
  AwaitGraphs();
  ExpectAllFound();
  Fill(200);
  ExpectAllFound();
}

TEST_F(Graph, ComesBackAfterReopening) {
  Fill(4000);
  Open();
  ExpectAllFound();
  AwaitGraphs();
  ExpectAllFound();
}

TEST_F(Graph, ForgottenMemoriesAreNotFound) {
  Fill(4000);
  AwaitGraphs();
  ASSERT_TRUE(Forget("m5").ok());
  RecallQuery query = MakeQuery("");
  query.embedding = points_[5];
  query.limit = 5;
  EXPECT_THAT(RecallIds(query), ::testing::Not(::testing::Contains("m5")));
}

TEST_F(Graph, WastefulIndexIsReplacedAndStaysRight) {
  Fill(400);
  for (int round = 0; round < 5; ++round) {
    for (size_t i = 0; i < points_.size(); ++i) {
      StoreCommand command = MakeStore("m" + std::to_string(i), "text");
      command.embedding = points_[i] = Point();
      ASSERT_TRUE(Store(command).ok());
    }
  }
  AwaitGraphs();
  ExpectAllFound();
  EXPECT_EQ(engine_->FindSpace("space")->memories, 400u);
}

}  // namespace
}  // namespace engram::memory
