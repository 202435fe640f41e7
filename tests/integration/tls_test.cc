// A cluster that speaks TLS: every hop over it, who is let in, who is not and what is said to them,
// and certificates that change while it runs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "engram/net/testing/test_ca.h"
#include "support/cluster.h"
#include "support/free_ports.h"

namespace engram::testing {
namespace {

using net::testing::TestCa;
using ::testing::HasSubstr;
using Json = nlohmann::json;
using Flags = std::vector<std::string>;

Flags operator+(Flags left, const Flags& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

// What a node, or `engram up`, is told.
Flags ServeFlags(const net::TlsOptions& own, const std::string& ca) {
  return {"--tls-cert", own.certificate_file, "--tls-key", own.key_file, "--tls-ca", ca};
}

client::ClientTls Trusting(const TestCa& ca) {
  client::ClientTls tls;
  tls.ca_file = ca.ca_file();
  return tls;
}

client::ClientTls Showing(const TestCa& ca, const net::TlsOptions& own) {
  client::ClientTls tls = Trusting(ca);
  tls.certificate_file = own.certificate_file;
  tls.key_file = own.key_file;
  return tls;
}

CommandResult Status(const std::string& address, const Flags& flags = {}) {
  return RunCommand(Flags{EngramBinary(), "status", "--node", address} + flags);
}

void ReplaceFile(const std::string& with, const std::string& file) {
  std::filesystem::copy_file(with, file, std::filesystem::copy_options::overwrite_existing);
}

class MutualTls : public ::testing::Test {
 protected:
  TestClusterOptions Options() {
    TestClusterOptions options;
    options.flags =
        ServeFlags(ca_.Issue("node"), ca_.ca_file()) + Flags{"--tls-client-ca", ca_.ca_file()};
    options.tls = Showing(ca_, ca_.Issue("user"));
    return options;
  }

  TestCa ca_;
  TestCa other_ca_;
  TestCluster cluster_{Options()};
};

TEST_F(MutualTls, EveryNodeAnswersForTheSpacesOfEveryOther) {
  for (int owner = 0; owner < cluster_.size(); ++owner) {
    const std::string space = cluster_.SpaceOn(owner);
    CommandResult stored = cluster_.Cli((owner + 1) % cluster_.size(),
                                        {"store", "--space", space, "--id", "tea", "tea at four"});
    ASSERT_EQ(stored.exit_code, 0) << stored.err;
    for (int entry = 0; entry < cluster_.size(); ++entry) {
      CommandResult found = cluster_.Cli(entry, {"recall", "--space", space, "--json", "tea"});
      ASSERT_EQ(found.exit_code, 0) << found.err;
      const Json answer = Json::parse(found.out);
      EXPECT_EQ(answer["results"][0]["content"], "tea at four");
      EXPECT_EQ(answer["served_by"], cluster_.Name(owner)) << "through " << cluster_.Name(entry);
    }
  }
}

TEST_F(MutualTls, WhoShowsNoCertificateOfTheRightCaIsRefused) {
  for (const client::ClientTls& tls : {Trusting(ca_), Showing(ca_, other_ca_.Issue("stranger"))}) {
    CommandResult refused = Status(cluster_.Address(0), TlsFlags(tls));
    EXPECT_EQ(refused.exit_code, 3);
    EXPECT_THAT(refused.err, HasSubstr(cluster_.Address(0)));
    EXPECT_THAT(refused.err, HasSubstr("ask for yours: --tls-cert FILE --tls-key FILE"));
  }
}

TEST_F(MutualTls, APlainClientIsTurnedAwayAndToldOfTls) {
  CommandResult text = Status(cluster_.Address(1));
  EXPECT_EQ(text.exit_code, 3);
  EXPECT_THAT(text.err, HasSubstr("node may want TLS: --tls-ca FILE"));
  CommandResult json = Status(cluster_.Address(1), {"--json"});
  EXPECT_EQ(json.exit_code, 3);
  EXPECT_THAT(std::string(Json::parse(json.err)["next"]), HasSubstr("--tls-ca FILE"));
  CommandResult write = RunCommand(
      {EngramBinary(), "store", "--space", "s", "never stored", "--node", cluster_.Address(1)});
  EXPECT_EQ(write.exit_code, 3) << write.err;
}

TEST_F(MutualTls, PythonDrivesTheCluster) {
  const client::ClientTls tls = Showing(ca_, ca_.Issue("python"));
  const std::string driver = FOREIGN_DIR "/run_python";
  Flags command = {driver,       "--gen-dir",          PYTHON_GEN_DIR, "--tls-ca",  tls.ca_file,
                   "--tls-cert", tls.certificate_file, "--tls-key",    tls.key_file};
  for (int i = 0; i < cluster_.size(); ++i)
    command = command + Flags{"--node", cluster_.Address(i)};
  CommandResult result = RunCommand(command);
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
}

TEST(Tls, AClientOfTlsIsToldThatTheNodeMayBePlain) {
  TestCa ca;
  TestClusterOptions options;
  options.nodes = 1;
  TestCluster plain(options);
  CommandResult refused = Status(plain.Address(0), TlsFlags(Trusting(ca)));
  EXPECT_EQ(refused.exit_code, 3);
  EXPECT_THAT(refused.err, HasSubstr("no TLS at all"));
  EXPECT_EQ(Status(plain.Address(0)).exit_code, 0);
}

TEST(Tls, TheCertificateMustBeForTheNodeOrForTlsName) {
  TestCa ca;
  TestClusterOptions options;
  options.nodes = 2;
  options.flags = ServeFlags(ca.Issue("node", "DNS:node.example"), ca.ca_file()) +
                  Flags{"--tls-name", "node.example"};
  options.tls = Trusting(ca);
  options.tls->expected_name = "node.example";
  TestCluster cluster(options);
  CommandResult through = cluster.Cli(0, {"store", "--space", cluster.SpaceOn(1), "x"});
  EXPECT_EQ(through.exit_code, 0) << through.err;
  CommandResult refused = Status(cluster.Address(0), TlsFlags(Trusting(ca)));
  EXPECT_EQ(refused.exit_code, 3);
  EXPECT_THAT(refused.err, HasSubstr("certificate is refused"));
  EXPECT_THAT(refused.err, HasSubstr("--tls-name NAME"));
}

TEST(Tls, ANewCertificateIsInUseWithoutARestart) {
  TestCa ca;
  TestCa new_ca;
  TestClusterOptions options;
  options.nodes = 1;
  const net::TlsOptions used = ca.Issue("node");
  options.flags = ServeFlags(used, ca.ca_file());
  options.tls = Trusting(ca);
  TestCluster cluster(options);
  const Flags trusting_new = TlsFlags(Trusting(new_ca));
  EXPECT_EQ(Status(cluster.Address(0), trusting_new).exit_code, 3);
  const net::TlsOptions fresh = new_ca.Issue("node");
  ReplaceFile(fresh.certificate_file, used.certificate_file);
  ReplaceFile(fresh.key_file, used.key_file);
  EXPECT_TRUE(Eventually([&] { return Status(cluster.Address(0), trusting_new).exit_code == 0; }));
  EXPECT_EQ(Status(cluster.Address(0), TlsFlags(Trusting(ca))).exit_code, 3);
  const std::string log = ReadAll(cluster.Log(0));
  const std::string told = "TLS files have changed: in use";
  EXPECT_THAT(log, HasSubstr(told));
  EXPECT_EQ(log.find(told), log.rfind(told)) << log;
}

TEST(Tls, FilesThatCannotBeUsedKeepANodeFromStarting) {
  TestCa ca;
  storage::TempDir dir;
  const net::TlsOptions own = ca.Issue("node");
  const std::string no_pem = (dir.path() / "no.pem").string();
  std::ofstream(no_pem) << "no PEM";
  const auto serve = [&](const Flags& flags) {
    return RunCommand(Flags{EngramBinary(), "serve", "--data-dir", (dir.path() / "data").string(),
                            "--listen", "127.0.0.1:" + std::to_string(FreePorts(1)[0])} +
                      flags);
  };
  const auto expect_refusal = [&](const Flags& flags, const std::string& key) {
    CommandResult refused = serve(flags);
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_THAT(refused.err, HasSubstr(key + ": cannot use " + no_pem + ": "));
    EXPECT_THAT(refused.err, HasSubstr("`engram serve --help` says what " + key + " must be"));
  };
  const Flags good = {"--tls-cert", own.certificate_file, "--tls-key", own.key_file};
  expect_refusal({"--tls-cert", no_pem, "--tls-key", own.key_file}, "tls-cert");
  expect_refusal({"--tls-cert", own.certificate_file, "--tls-key", no_pem}, "tls-key");
  expect_refusal(good + Flags{"--tls-ca", no_pem}, "tls-ca");
  expect_refusal(good + Flags{"--tls-client-ca", no_pem}, "tls-client-ca");
  EXPECT_EQ(serve({"--tls-client-ca", ca.ca_file()}).exit_code, 2) << "would be without effect";
  EXPECT_FALSE(std::filesystem::exists(dir.path() / "data"));
}

class LocalTls : public ::testing::Test {
 protected:
  ~LocalTls() override { Run({"down", "--dir", Dir()}); }

  static CommandResult Run(const Flags& args) { return RunCommand(Flags{EngramBinary()} + args); }
  std::string Dir() const { return (dir_.path() / "cluster").string(); }
  std::string Node(int i) const { return "127.0.0.1:" + std::to_string(base_port_ + 10 * i); }
  CommandResult Up(const Flags& flags) {
    return Run(Flags{"up", "--dir", Dir(), "--detach"} + flags);
  }

  storage::TempDir dir_;
  TestCa ca_;
  int base_port_ = FreeBasePort();
};

TEST_F(LocalTls, ComesUpStaysSoAndGoesBackToPlain) {
  const Flags mutual = TlsFlags(Showing(ca_, ca_.Issue("user")));
  CommandResult up = Up(Flags{"--nodes", "2", "--base-port", std::to_string(base_port_),
                              "--tls-client-ca", ca_.ca_file()} +
                        ServeFlags(ca_.Issue("node"), ca_.ca_file()));
  ASSERT_EQ(up.exit_code, 0) << up.err;
  EXPECT_THAT(up.out, HasSubstr("--node " + Node(0) + " --tls-ca " + ca_.ca_file()));
  EXPECT_EQ(Status(Node(1)).exit_code, 3);
  CommandResult status = Status(Node(1), mutual);
  EXPECT_THAT(status.out, HasSubstr("is whole: 2 of 2")) << status.err;
  EXPECT_THAT(Run({"down", "--dir", Dir()}).out, HasSubstr("stopped 2 of 2"));
  ASSERT_EQ(Up({}).exit_code, 0);
  EXPECT_EQ(Status(Node(1), mutual).exit_code, 0) << "kept with the directory";
  Run({"down", "--dir", Dir()});
  ASSERT_EQ(Up({"--no-tls"}).exit_code, 0);
  EXPECT_EQ(Status(Node(1)).exit_code, 0);
}

TEST_F(LocalTls, HalfOfItIsWrongUsage) {
  const net::TlsOptions own = ca_.Issue("node");
  EXPECT_EQ(Up({"--tls-cert", own.certificate_file}).exit_code, 2);
  EXPECT_EQ(Up({"--tls-ca", ca_.ca_file()}).exit_code, 2);
  EXPECT_EQ(Up({"--tls-cert", "", "--tls-key", ""}).exit_code, 2);
  EXPECT_EQ(Up({"--no-tls", "--tls-ca", ca_.ca_file()}).exit_code, 2);
}

}  // namespace
}  // namespace engram::testing
