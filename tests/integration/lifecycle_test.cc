// Starting, stopping, and refusing to start.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "engram/base/error.h"
#include "support/cluster.h"
#include "support/free_ports.h"

namespace engram::testing {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

TEST(Lifecycle, SigtermDrainsWhatIsInFlightAndExitsZero) {
  TestClusterOptions options;
  options.nodes = 1;
  options.durability = "fsync";
  TestCluster cluster(options);
  std::atomic<bool> stop = false;
  std::atomic<int> acknowledged = 0;
  std::vector<std::thread> writers;
  for (int w = 0; w < 4; ++w) {
    writers.emplace_back([&, w] {
      auto client = cluster.Client({0}, std::chrono::seconds(5));
      for (int i = 0; !stop; ++i) {
        v1::StoreRequest request;
        request.set_space("s");
        request.set_id("w" + std::to_string(w) + "-" + std::to_string(i));
        request.set_content("x");
        absl::Status status = client->Store(request).status();
        if (status.ok()) {
          ++acknowledged;
        } else {
          // A drained node ends what it began and refuses the rest: no write is left in doubt.
          EXPECT_EQ(CodeOf(status), ErrorCode::kConnectionFailed) << status;
          return;
        }
      }
    });
  }
  ASSERT_TRUE(Eventually([&] { return acknowledged > 50; }));
  cluster.node(0).Signal(SIGTERM);
  EXPECT_EQ(cluster.node(0).Wait(std::chrono::seconds(60)), 0);
  stop = true;
  for (std::thread& writer : writers) writer.join();
  cluster.Start(0);
  cluster.AwaitReady(0);
  EXPECT_EQ(cluster.Client({0})->ListSpaces({})->message.spaces(0).memories(),
            static_cast<uint64_t>(acknowledged));
}

// A node whose seed does not answer; it is not there yet, say.
class WithoutItsSeed : public ::testing::Test {
 protected:
  const std::vector<int> ports_ = FreePorts(4);
  const std::string address_ = "127.0.0.1:" + std::to_string(ports_[0]);
  const std::string seed_ = "127.0.0.1:" + std::to_string(ports_[3]);
  const storage::TempDir dir_;
  const std::filesystem::path log_ = dir_.path() / "log";
  Process node_{{EngramBinary(), "serve", "--data-dir", (dir_.path() / "data").string(), "--listen",
                 address_, "--http", "off", "--gossip", "127.0.0.1:" + std::to_string(ports_[2]),
                 "--seeds", seed_, "--node-id", "lonely"},
                log_};

  CommandResult Ask(std::vector<std::string> command) const {
    command.insert(command.begin(), EngramBinary());
    command.insert(command.end(), {"--node", address_});
    return RunCommand(command);
  }
  size_t TimesInLog(const std::string& what) const {
    const std::string log = ReadAll(log_);
    size_t times = 0;
    for (size_t at = log.find(what); at != std::string::npos; at = log.find(what, at + 1)) ++times;
    return times;
  }
};

TEST_F(WithoutItsSeed, ItSaysSoAndNothingElse) {
  ASSERT_TRUE(Eventually([&] { return Ask({"status"}).exit_code == 0; })) << ReadAll(log_);
  EXPECT_THAT(Ask({"status"}).out, HasSubstr("is NOT FOUND YET: lonely asks its seeds"));
  EXPECT_EQ(Json::parse(Ask({"status", "--json"}).out)["whole"], false);
  const CommandResult stored = Ask({"store", "--space", "s", "tea"});
  EXPECT_EQ(stored.exit_code, 1);
  EXPECT_THAT(stored.err, HasSubstr("has not found its cluster yet"));
}

TEST_F(WithoutItsSeed, TheLogNamesTheSeedOnceAndASignalEndsIt) {
  const std::string line = "event=ask_failed address=" + seed_ + " reason=";
  ASSERT_TRUE(Eventually([&] { return TimesInLog(line) > 0; })) << ReadAll(log_);
  node_.Signal(SIGTERM);
  EXPECT_EQ(node_.Wait(std::chrono::seconds(60)), 0);
  EXPECT_EQ(TimesInLog(line), 1u) << ReadAll(log_);
}

class RefusesToStart : public ::testing::Test {
 protected:
  storage::TempDir dir_;
  int port_ = FreePorts(1)[0];

  std::vector<std::string> Serve(std::vector<std::string> more) const {
    std::vector<std::string> command = {EngramBinary(), "serve",
                                        "--data-dir",   (dir_.path() / "data").string(),
                                        "--listen",     "127.0.0.1:" + std::to_string(port_),
                                        "--http",       "127.0.0.1:" + std::to_string(port_ + 1),
                                        "--gossip",     "127.0.0.1:" + std::to_string(port_ + 2)};
    command.insert(command.end(), more.begin(), more.end());
    return command;
  }
  // Starts a node, waits until it has made its data directory and listens, and stops it.
  void RunOnce(std::vector<std::string> more) {
    Process node(Serve(std::move(more)), dir_.path() / "log");
    client::ClientOptions options;
    options.nodes = {"127.0.0.1:" + std::to_string(port_)};
    auto client = *client::Client::Create(options);
    ASSERT_TRUE(Eventually([&] { return client->GetStatus({}).ok(); }));
    node.Signal(SIGTERM);
    ASSERT_EQ(node.Wait(std::chrono::seconds(30)), 0);
  }
};

TEST_F(RefusesToStart, OnDataOfAnotherCluster) {
  RunOnce({"--cluster", "one"});
  CommandResult result = RunCommand(Serve({"--cluster", "two"}));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("one"));
  EXPECT_THAT(result.err, HasSubstr("two"));
  EXPECT_THAT(result.err, HasSubstr((dir_.path() / "data").string()));
}

TEST_F(RefusesToStart, OnDataOfAnotherNode) {
  RunOnce({"--node-id", "a"});
  CommandResult result = RunCommand(Serve({"--node-id", "b"}));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("'a'"));
}

TEST_F(RefusesToStart, OnADamagedDataDirectory) {
  RunOnce({});
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir_.path() / "data")) {
    if (entry.path().filename().string().starts_with("MANIFEST"))
      std::ofstream(entry.path()) << "damaged";
  }
  CommandResult result = RunCommand(Serve({}));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr((dir_.path() / "data").string()));
}

TEST_F(RefusesToStart, WhenThePortIsInUse) {
  TestClusterOptions options;
  options.nodes = 1;
  TestCluster other(options);
  CommandResult result =
      RunCommand({EngramBinary(), "serve", "--data-dir", (dir_.path() / "data").string(),
                  "--listen", other.Address(0), "--http", "off"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr(other.Address(0)));
  EXPECT_THAT(result.err, HasSubstr("in use"));
}

TEST_F(RefusesToStart, WhenThePortForHttpIsInUse) {
  TestClusterOptions options;
  options.nodes = 1;
  TestCluster other(options);
  CommandResult result = RunCommand(Serve({"--http", other.HttpAddress(0)}));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr(other.HttpAddress(0) + " is in use"));
  EXPECT_THAT(result.err, HasSubstr("--http"));
}

TEST_F(RefusesToStart, WhenTheDataIsInUse) {
  TestClusterOptions options;
  options.nodes = 1;
  TestCluster other(options);
  CommandResult result = RunCommand({EngramBinary(), "serve", "--cluster", "test", "--data-dir",
                                     other.DataDir(0).string(), "--listen",
                                     "127.0.0.1:" + std::to_string(port_), "--http", "off"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("in use"));
}

TEST_F(RefusesToStart, OnACorruptConfiguration) {
  std::filesystem::path file = dir_.path() / "engram.toml";
  std::ofstream(file) << "node-id = \"a\"\nlisten = = \n";
  CommandResult broken = RunCommand({EngramBinary(), "serve", "--config", file.string()});
  EXPECT_EQ(broken.exit_code, 2);
  EXPECT_THAT(broken.err, HasSubstr("engram.toml:2"));
  std::ofstream(file) << "data-dri = \"x\"\n";
  CommandResult misspelt = RunCommand({EngramBinary(), "serve", "--config", file.string()});
  EXPECT_EQ(misspelt.exit_code, 2);
  EXPECT_THAT(misspelt.err, HasSubstr("did you mean 'data-dir'?"));
  EXPECT_THAT(misspelt.err, HasSubstr("run the command again"));
  EXPECT_EQ(RunCommand({EngramBinary(), "serve", "--config", "/no/such/file"}).exit_code, 2);
}

class LocalCluster : public ::testing::Test {
 protected:
  ~LocalCluster() override { RunCommand({EngramBinary(), "down", "--dir", Dir()}); }

  std::string Dir() const { return (dir_.path() / "cluster").string(); }
  std::string Node(int i) const { return "127.0.0.1:" + std::to_string(base_port_ + 10 * i); }
  CommandResult Up() {
    return RunCommand({EngramBinary(), "up", "--nodes", "3", "--dir", Dir(), "--base-port",
                       std::to_string(base_port_), "--durability", "process", "--detach",
                       "--json"});
  }

  storage::TempDir dir_;
  int base_port_ = FreeBasePort();
};

TEST_F(LocalCluster, ComesUpGoesDownAndBringsItsDataBack) {
  CommandResult up = Up();
  ASSERT_EQ(up.exit_code, 0) << up.err;
  Json cluster = Json::parse(up.out);
  ASSERT_EQ(cluster["nodes"].size(), 3u);
  EXPECT_EQ(cluster["nodes"][2]["address"], Node(2));
  EXPECT_EQ(cluster["nodes"][2]["http"], "127.0.0.1:" + std::to_string(base_port_ + 21));
  CommandResult stored = RunCommand({EngramBinary(), "store", "--space", "notes", "--id", "tea",
                                     "tea is at four", "--node", Node(0)});
  ASSERT_EQ(stored.exit_code, 0) << stored.err;
  CommandResult again = Up();
  EXPECT_EQ(again.exit_code, 1) << again.err << "a cluster that runs is not started twice";
  EXPECT_THAT(again.err, HasSubstr("runs already"));
  EXPECT_EQ(
      Json::parse(RunCommand({EngramBinary(), "down", "--dir", Dir(), "--json"}).out)["stopped"],
      3);
  EXPECT_EQ(RunCommand({EngramBinary(), "status", "--node", Node(0)}).exit_code, 3);
  ASSERT_EQ(RunCommand({EngramBinary(), "up", "--dir", Dir(), "--detach"}).exit_code, 0);
  CommandResult found =
      RunCommand({EngramBinary(), "get", "--space", "notes", "tea", "--node", Node(2)});
  EXPECT_EQ(found.exit_code, 0) << found.err;
  EXPECT_THAT(found.out, HasSubstr("tea is at four"));
}

TEST_F(LocalCluster, StartsOnlyTheNodesThatDoNotRun) {
  Json first = Json::parse(Up().out);
  kill(first["nodes"][1]["pid"].get<pid_t>(), SIGKILL);
  EXPECT_EQ(RunCommand({EngramBinary(), "status", "--node", Node(1)}).exit_code, 3);
  CommandResult again = Up();
  ASSERT_EQ(again.exit_code, 0) << again.err;
  Json second = Json::parse(again.out);
  EXPECT_EQ(second["nodes"][0]["pid"], first["nodes"][0]["pid"]);
  EXPECT_NE(second["nodes"][1]["pid"], first["nodes"][1]["pid"]);
  EXPECT_EQ(
      Json::parse(RunCommand({EngramBinary(), "down", "--dir", Dir(), "--json"}).out)["stopped"],
      3);
}

TEST_F(LocalCluster, TwoAtOnceOnOneDirectoryMakeOneCluster) {
  std::vector<std::string> command = {
      EngramBinary(), "up",  "--nodes",     "3",
      "--dir",        Dir(), "--base-port", std::to_string(base_port_),
      "--detach"};
  std::filesystem::path log = dir_.path() / "ups.log";
  Process one(command, log);
  Process two(command, log);
  int codes = one.Wait(std::chrono::seconds(90)).value_or(99) +
              two.Wait(std::chrono::seconds(90)).value_or(99);
  EXPECT_EQ(codes, 1) << "one starts it, the other is refused\n" << ReadAll(log);
  EXPECT_EQ(
      Json::parse(RunCommand({EngramBinary(), "down", "--dir", Dir(), "--json"}).out)["stopped"],
      3);
}

TEST_F(LocalCluster, DoesNotTakeAnotherClustersNodesForItsOwn) {
  ASSERT_EQ(Up().exit_code, 0);
  std::string other = (dir_.path() / "other").string();
  CommandResult result = RunCommand({EngramBinary(), "up", "--nodes", "3", "--dir", other,
                                     "--base-port", std::to_string(base_port_), "--detach"});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err, HasSubstr("in use"));
}

TEST_F(LocalCluster, GrowsButDoesNotShrink) {
  ASSERT_EQ(Up().exit_code, 0);
  // While it runs: only the new one is started.
  CommandResult more =
      RunCommand({EngramBinary(), "up", "--nodes", "4", "--dir", Dir(), "--detach"});
  EXPECT_EQ(more.exit_code, 0) << more.err;
  CommandResult status = RunCommand(
      {EngramBinary(), "status", "--node", "127.0.0.1:" + std::to_string(base_port_ + 30)});
  EXPECT_THAT(status.out, HasSubstr("is whole: 4 of 4 nodes reached"));
  RunCommand({EngramBinary(), "down", "--dir", Dir()});
  CommandResult fewer =
      RunCommand({EngramBinary(), "up", "--nodes", "3", "--dir", Dir(), "--detach"});
  EXPECT_EQ(fewer.exit_code, 2);
  EXPECT_THAT(fewer.err, HasSubstr("holds a cluster of 4 nodes"));
}

TEST_F(LocalCluster, DownTellsWhichNodeHungAndWasKilled) {
  const Json up = Json::parse(Up().out);
  kill(up["nodes"][1]["pid"].get<pid_t>(), SIGSTOP);
  const CommandResult down = RunCommand({EngramBinary(), "down", "--dir", Dir()});
  EXPECT_EQ(down.exit_code, 0);
  EXPECT_THAT(down.out, HasSubstr("stopped 3 of 3 nodes"));
  EXPECT_THAT(down.err, HasSubstr("node-2 did not end within"));
  EXPECT_EQ(down.err.find("node-1"), std::string::npos) << down.err;
}

TEST_F(LocalCluster, StatusTellsThatANodeHasLeft) {
  const Json up = Json::parse(Up().out);
  kill(up["nodes"][2]["pid"].get<pid_t>(), SIGTERM);
  auto status = [&] { return RunCommand({EngramBinary(), "status", "--node", Node(0)}).out; };
  EXPECT_TRUE(Eventually([&] {
    return status().find("2 of 2 nodes reached") != std::string::npos &&
           status().find("; 1 has left)") != std::string::npos;
  })) << status();
}

TEST_F(LocalCluster, InTheForegroundItEndsWithItsNodes) {
  std::filesystem::path log = dir_.path() / "up.log";
  Process up({EngramBinary(), "up", "--nodes", "2", "--dir", Dir(), "--base-port",
              std::to_string(base_port_)},
             log);
  auto answers = [&](int i) {
    return RunCommand({EngramBinary(), "status", "--node", Node(i), "--timeout", "1"}).exit_code ==
           0;
  };
  ASSERT_TRUE(Eventually([&] { return answers(0) && answers(1); }));
  up.Signal(SIGTERM);
  EXPECT_EQ(up.Wait(std::chrono::seconds(60)), 0);
  EXPECT_FALSE(answers(0));
  EXPECT_FALSE(answers(1));
}

}  // namespace
}  // namespace engram::testing
