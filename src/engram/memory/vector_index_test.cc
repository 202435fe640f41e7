#include "engram/memory/vector_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "engram/memory/vector_math.h"

namespace engram::memory {
namespace {

constexpr size_t kDimension = 24;

// Documents with embeddings from Gaussian clusters, as many as asked for.
class VectorIndexTest : public ::testing::Test {
 protected:
  VectorIndexTest() : everything_(RecallQuery()) {
    for (size_t i = 0; i < 50; ++i) centres_.push_back(Around(std::vector<float>(kDimension), 1));
  }

  std::vector<float> Around(const std::vector<float>& centre, float spread) {
    std::normal_distribution<float> offset(0, spread);
    std::vector<float> point = centre;
    for (float& value : point) value += offset(random_);
    return point;
  }
  std::vector<float> Point() { return Around(centres_[random_() % centres_.size()], 0.3F); }

  void Fill(size_t count) {
    for (size_t i = 0; i < count; ++i) {
      Attributes attributes;
      attributes.confidence = i % 10 == 0 ? 0.9 : 0.1;
      points_.push_back(Point());
      const auto id = documents_.Number("m" + std::to_string(points_.size()));
      index_.Add(documents_.Add(id, attributes), points_.back());
    }
  }

  void BuildGraph(size_t rows) {
    auto graph = std::make_shared<VectorGraph>(kDimension, 10);  // has to grow
    for (size_t row = 0; row < rows; ++row) graph->Add(index_.Rows(row, 1));
    index_.SetGraph(std::move(graph));
  }

  // By definition: cosine in double, sorted.
  std::vector<Ordinal> BruteForce(const std::vector<float>& query, const Filter& filter, size_t k) {
    std::vector<std::pair<double, Ordinal>> all;
    for (Ordinal document = 0; document < points_.size(); ++document) {
      if (!documents_.Passes(document, filter)) continue;
      double dot = 0;
      double square = 0;
      for (size_t i = 0; i < kDimension; ++i) {
        dot += double{points_[document][i]} * double{query[i]};
        square += double{points_[document][i]} * double{points_[document][i]};
      }
      all.emplace_back(-dot / std::sqrt(square), document);
    }
    std::sort(all.begin(), all.end());
    std::vector<Ordinal> best;
    for (size_t i = 0; i < std::min(k, all.size()); ++i) best.push_back(all[i].second);
    return best;
  }

  std::vector<Ordinal> Search(const std::vector<float>& query, const Filter& filter, size_t k) {
    std::vector<Ordinal> found;
    for (const ScoredDocument& hit :
         index_.Search(query, documents_, filter, {.need = k, .k = k})) {
      found.push_back(hit.document);
    }
    return found;
  }

  double ShareFound(const Filter& filter, size_t k) {
    size_t hits = 0;
    size_t all = 0;
    for (int i = 0; i < 100; ++i) {
      const std::vector<float> query = Point();
      const std::vector<Ordinal> exact = BruteForce(query, filter, k);
      const std::vector<Ordinal> found = Search(query, filter, k);
      for (Ordinal document : exact) {
        hits += std::count(found.begin(), found.end(), document) > 0 ? 1u : 0u;
      }
      all += exact.size();
    }
    return static_cast<double>(hits) / static_cast<double>(all);
  }

  std::mt19937_64 random_{11};
  std::vector<std::vector<float>> centres_;
  std::vector<std::vector<float>> points_;  // by ordinal
  DocumentTable documents_;
  VectorIndex index_;
  const Filter everything_;
};

TEST_F(VectorIndexTest, ScanIsExact) {
  Fill(500);
  for (int i = 0; i < 50; ++i) {
    const std::vector<float> query = Point();
    EXPECT_EQ(Search(query, everything_, 10), BruteForce(query, everything_, 10));
  }
}

TEST_F(VectorIndexTest, EmptyIndexFindsNothing) {
  EXPECT_TRUE(Search(Point(), everything_, 10).empty());
}

TEST_F(VectorIndexTest, GraphFindsNearlyAll) {
  Fill(5000);
  BuildGraph(5000);
  EXPECT_GE(ShareFound(everything_, 10), 0.95);
}

TEST_F(VectorIndexTest, RowsBeyondTheGraphAreFound) {
  Fill(4000);
  BuildGraph(4000);
  Fill(100);
  for (size_t row = 4000; row < 4100; ++row) {
    EXPECT_EQ(Search(points_[row], everything_, 1).front(), row);
  }
}

TEST_F(VectorIndexTest, DeadRowsNeverCrowdOutLivingOnes) {
  Fill(4000);
  BuildGraph(4000);
  // All of one neighbourhood but the farthest die.
  const std::vector<float> query = Point();
  for (Ordinal document : BruteForce(query, everything_, 300)) documents_.Kill(document);
  EXPECT_EQ(Search(query, everything_, 10), BruteForce(query, everything_, 10));
}

TEST_F(VectorIndexTest, NarrowFilterIsExactInSpiteOfTheGraph) {
  Fill(4000);
  BuildGraph(4000);
  RecallQuery asked;
  asked.min_confidence = 0.5;  // one in ten
  const Filter filter(asked);
  for (int i = 0; i < 20; ++i) {
    const std::vector<float> query = Point();
    EXPECT_EQ(Search(query, filter, 10), BruteForce(query, filter, 10));
  }
}

TEST(VectorMath, NormalizesExtremesWithoutOverflow) {
  for (float extreme : {1e38F, 1e-38F}) {
    std::vector<float> unit;
    AppendNormalized(std::vector<float>{extreme, extreme}, unit);
    EXPECT_NEAR(unit[0], 0.70710678, 1e-6);
  }
}

TEST(VectorMath, DotProductOfEveryLength) {
  for (size_t size = 1; size < 70; ++size) {
    std::vector<float> a;
    std::vector<float> b;
    float expected = 0;
    for (size_t i = 0; i < size; ++i) {
      a.push_back(static_cast<float>(i + 1));
      b.push_back(static_cast<float>(i % 3));
      expected += a[i] * b[i];
    }
    EXPECT_EQ(DotProduct(a.data(), b.data(), size), expected) << size;
  }
}

}  // namespace
}  // namespace engram::memory
