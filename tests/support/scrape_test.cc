#include "support/scrape.h"

#include <gtest/gtest.h>

namespace engram::testing {
namespace {

constexpr char kScraped[] =
    "# TYPE tries_total counter\n"
    "tries_total{reason=\"slow\"} 2\n"
    "tries_total{reason=\"gone\"} 3\n"
    "tries_total_of_others 10\n"
    "hops_total 7\n";

TEST(Scraped, SumsUpAllSeriesOfOneName) {
  EXPECT_EQ(SumOf(kScraped, "tries_total"), 5);
  EXPECT_EQ(SumOf(kScraped, "hops_total"), 7);
  EXPECT_EQ(SumOf(kScraped, "hops"), 0);
}

TEST(Scraped, FindsOneSeries) {
  EXPECT_EQ(ValueOf(kScraped, R"(tries_total{reason="gone"})"), 3);
  EXPECT_EQ(ValueOf(kScraped, R"(tries_total{reason="late"})"), 0);
}

}  // namespace
}  // namespace engram::testing
