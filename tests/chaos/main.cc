// tools/chaos: see there.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "chaos/chaos_run.h"

int main(int argc, char** argv) {
  using engram::testing::ChaosOptions;
  ChaosOptions options;
  double minutes = 3;
  CLI::App app{
      "Chaos: breaks a cluster of real nodes under load, and judges what its clients saw."};
  app.add_option("--minutes", minutes, "of load; at least one fault is made")
      ->capture_default_str();
  app.add_option("--seed", options.seed, "of faults and load")->capture_default_str();
  app.add_option("--nodes", options.nodes, "in the cluster")
      ->check(CLI::Range(3, 9))
      ->capture_default_str();
  app.add_option("--copies", options.copies, "of each space")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--clients", options.clients, "at once")->capture_default_str();
  app.add_option("--faults", options.kinds, "only these")
      ->delimiter(',')
      ->transform(CLI::CheckedTransformer(engram::testing::FaultsByName()));
  app.add_option("--out", options.out, "directory for history, report and logs")->required();
  CLI11_PARSE(app, argc, argv);
  options.length =
      std::chrono::duration_cast<engram::Duration>(std::chrono::duration<double>(minutes * 60));
  options.command = "tools/chaos";
  for (int i = 1; i < argc; ++i) options.command += fmt::format(" {}", argv[i]);
  testing::InitGoogleTest();
  return engram::testing::RunChaos(options);
}
