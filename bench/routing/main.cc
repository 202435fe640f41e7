// Measures the parts of the routing core beside what could stand in their place: `tools/bench
// routing`.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <thread>

#include "report.h"

namespace engram::bench {

double Quantile(std::vector<double> values, double q) {
  if (values.empty()) return 0;
  const auto at = static_cast<size_t>(q * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + static_cast<ptrdiff_t>(at), values.end());
  return values[at];
}

double Median(std::vector<double> values) { return Quantile(std::move(values), 0.5); }

namespace {

void Print(const Goals& goals) {
  fmt::print("\n### Goals\n| what | measured | goal | met |\n| --- | --- | --- | --- |\n");
  for (const Goal& g : goals) {
    fmt::print("| {} | {} | {} | {} |\n", g.what, g.measured, g.goal, g.met ? "yes" : "**no**");
  }
}

}  // namespace
}  // namespace engram::bench

int main(int argc, char** argv) {
  engram::bench::BenchOptions options;
  bool quick = false;
  CLI::App app("Measures the parts of the routing core");
  app.add_option("--spaces", options.sizes, "sizes of the routing table");
  app.add_option("--rounds", options.rounds, "of which the medians are shown")
      ->check(CLI::PositiveNumber);
  app.add_option("--seconds", options.seconds, "of one measurement")->check(CLI::PositiveNumber);
  app.add_flag("--quick", quick, "a look in half a minute: one round, 100,000 spaces");
  CLI11_PARSE(app, argc, argv);
  if (quick) {
    options.sizes = {100'000};
    options.rounds = 1;
    options.seconds = 0.2;
  }
  fmt::print("{} cores; {} rounds of {} s a measurement\n", std::thread::hardware_concurrency(),
             options.rounds, options.seconds);
  engram::bench::Goals goals;
  engram::bench::BenchTables(options, goals);
  engram::bench::BenchRecords(options);
  engram::bench::BenchParts(options, goals);
  engram::bench::Print(goals);
}
