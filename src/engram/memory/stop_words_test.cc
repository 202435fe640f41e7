#include "engram/memory/stop_words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engram/memory/testing/engine_fixture.h"

namespace engram::memory {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::SizeIs;

TEST(WithoutFunctionWords, LeavesWhatMeansSomething) {
  const AnalyzedText query = WithoutFunctionWords(Analyze("What is the cat called, and WHY?"));
  EXPECT_THAT(query.terms, ElementsAre(TermCount{"call", 1}, TermCount{"cat", 1}));
  EXPECT_EQ(query.length, 2u);
}

TEST(WithoutFunctionWords, LeavesAQueryOfNothingElseAsItIs) {
  const AnalyzedText query = Analyze("to be or not to be");
  EXPECT_EQ(WithoutFunctionWords(query).terms, query.terms);
  EXPECT_EQ(WithoutFunctionWords(query).length, query.length);
  EXPECT_THAT(WithoutFunctionWords(Analyze("")).terms, SizeIs(0));
}

TEST(WithoutFunctionWords, KnowsThemByTheirStems) {
  EXPECT_THAT(WithoutFunctionWords(Analyze("why does this very cat")).terms,
              ElementsAre(TermCount{"cat", 1}));
}

class RecallWithFunctionWords : public EngineTest {};

TEST_F(RecallWithFunctionWords, TheyDoNotDecideTheOrder) {
  ASSERT_TRUE(Store("cat", "Our cat answers to Momo").ok());
  ASSERT_TRUE(Store("n1", "What is the plan? The plan is the plan").ok());
  ASSERT_TRUE(Store("n2", "The weather is what it is").ok());
  ASSERT_TRUE(Store("n3", "Bread needs flour").ok());
  auto hits = Recall(MakeQuery("what is the cat"));
  ASSERT_THAT(hits, SizeIs(1));
  EXPECT_EQ(hits[0].memory.id.value(), "cat");
  EXPECT_THAT(hits[0].why.terms, ElementsAre("cat"));
  EXPECT_DOUBLE_EQ(hits[0].confidence, 1);
}

TEST_F(RecallWithFunctionWords, AQueryOfNothingElseUsesThemAll) {
  ASSERT_TRUE(Store("hamlet", "To be, or not to be, that is the question").ok());
  ASSERT_TRUE(Store("other", "Bread needs flour").ok());
  auto hits = Recall(MakeQuery("to be or not to be"));
  ASSERT_THAT(hits, SizeIs(1));
  EXPECT_THAT(hits[0].why.terms, SizeIs(4));
  EXPECT_THAT(hits[0].why.terms, Contains("not"));
}

}  // namespace
}  // namespace engram::memory
