#include "engram/memory/text_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>

#include "engram/memory/space_index.h"

namespace engram::memory {
namespace {

IndexEntry EntryOf(std::string_view content) {
  IndexEntry entry;
  entry.text = Analyze(content);
  return entry;
}

// BM25 straight from the formula in text_index.h, over all documents.
std::map<std::string, double> BruteForce(const std::map<std::string, std::string>& contents,
                                         std::string_view query) {
  std::map<std::string, AnalyzedText> documents;
  double words = 0;
  for (const auto& [id, content] : contents) {
    documents[id] = Analyze(content);
    words += documents[id].length;
  }
  const auto all = static_cast<double>(documents.size());
  auto count_in = [](const AnalyzedText& text, const std::string& term) {
    for (const TermCount& counted : text.terms) {
      if (counted.term == term) return static_cast<double>(counted.count);
    }
    return 0.0;
  };
  std::map<std::string, double> scores;
  for (const TermCount& asked : Analyze(query).terms) {
    double with = 0;
    for (const auto& [id, text] : documents) with += count_in(text, asked.term) > 0 ? 1 : 0;
    const double idf = std::log(1 + (all - with + 0.5) / (with + 0.5));
    for (const auto& [id, text] : documents) {
      const double f = count_in(text, asked.term);
      if (f == 0) continue;
      scores[id] += idf * f * 2.2 / (f + 1.2 * (0.25 + 0.75 * text.length / (words / all)));
    }
  }
  return scores;
}

std::map<std::string, double> Search(const SpaceIndex& index, std::string_view query, size_t k) {
  const AnalyzedText text = Analyze(query);
  const auto prepared = index.text().Prepare(text);
  std::map<std::string, double> scores;
  for (const ScoredDocument& found :
       index.text().Search(prepared, index.documents(), Filter(RecallQuery()), k)) {
    scores[index.documents().Name(index.documents().IdOf(found.document))] = found.score;
  }
  return scores;
}

std::string RandomText(std::mt19937_64& random, size_t words_max) {
  std::string text;
  for (size_t left = 1 + random() % words_max; left > 0; --left) {
    text += static_cast<char>('a' + std::min(random() % 20, random() % 20));
    text += ' ';
  }
  return text;
}

TEST(TextIndex, ScoresAsTheFormulaSaysThroughUpdatesAndRemovals) {
  std::mt19937_64 random(7);
  SpaceIndex index;
  std::map<std::string, std::string> contents;
  for (int step = 0; step < 600; ++step) {
    const std::string id = "m" + std::to_string(random() % 100);
    if (random() % 4 == 0) {
      index.Remove(id);
      contents.erase(id);
    } else {
      contents[id] = RandomText(random, 30);
      index.Replace(id, EntryOf(contents[id]));
    }
    if (step % 20 != 19) continue;
    const std::string query = RandomText(random, 4);
    const auto expected = BruteForce(contents, query);
    const auto found = Search(index, query, 1000);
    ASSERT_EQ(found.size(), expected.size()) << query;
    for (const auto& [name, score] : expected) {
      EXPECT_NEAR(found.at(name), score, 1e-4 * (1 + score)) << query << " " << name;
    }
  }
}

TEST(TextIndex, BestAreTheBestAndTiesGoBySmallerId) {
  SpaceIndex index;
  for (const char* id : {"d", "b", "c", "a"}) index.Replace(id, EntryOf("same words"));
  index.Replace("e", EntryOf("words words"));
  std::vector<std::string> ids;
  for (const auto& [id, score] : Search(index, "words", 3)) ids.push_back(id);
  EXPECT_THAT(ids, ::testing::ElementsAre("a", "b", "e"));
}

TEST(TextIndex, UnknownWordsFindNothing) {
  SpaceIndex index;
  index.Replace("a", EntryOf("some words"));
  EXPECT_TRUE(Search(index, "absent", 10).empty());
  EXPECT_TRUE(Search(index, "", 10).empty());
  EXPECT_TRUE(Search(SpaceIndex(), "words", 10).empty());
}

TEST(SpaceIndex, ChangesAreIdempotent) {
  SpaceIndex index;
  IndexChange change;
  change.id = MemoryId("a");
  change.entry = EntryOf("some words");
  change.embedding = {1, 0};
  change.links = {{MemoryId("b"), 0.5}};
  for (int i = 0; i < 3; ++i) index.Apply(change);
  EXPECT_EQ(index.documents().alive(), 1u);
  EXPECT_NEAR(Search(index, "words", 10).at("a"),
              BruteForce({{"a", "some words"}}, "words").at("a"), 1e-5);
  change.kind = IndexChange::Kind::kRemove;
  for (int i = 0; i < 3; ++i) index.Apply(change);
  EXPECT_EQ(index.documents().alive(), 0u);
  EXPECT_TRUE(Search(index, "words", 10).empty());
}

TEST(SpaceIndex, IsWastefulWhenMoreIsDeadThanAlive) {
  SpaceIndex index;
  for (int i = 0; i < 1500; ++i) index.Replace("a", EntryOf("words"));
  EXPECT_TRUE(index.Wasteful());
}

}  // namespace
}  // namespace engram::memory
