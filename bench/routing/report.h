// What the benches of the routing core report to: rows of the table of goals.
#pragma once

#include <string>
#include <vector>

namespace engram::bench {

struct Goal {
  std::string what;
  std::string measured;
  std::string goal;
  bool met;
};
using Goals = std::vector<Goal>;

struct BenchOptions {
  std::vector<size_t> sizes = {100'000, 1'000'000};
  int rounds = 3;
  double seconds = 0.4;  // of one measurement
};

// Each prints its own tables; those that promise something in docs/ add it to `goals`.
void BenchTables(const BenchOptions& options, Goals& goals);
void BenchRecords(const BenchOptions& options);
void BenchParts(const BenchOptions& options, Goals& goals);

double Median(std::vector<double> values);
// q in 0..1.
double Quantile(std::vector<double> values, double q);

}  // namespace engram::bench
