#include "support/dns_server.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>

#include "support/free_ports.h"

namespace engram::testing {
namespace {

constexpr char kProgram[] = "/usr/sbin/dnsmasq";  // of dnsmasq-base
constexpr char kHosts[] = "hosts";
constexpr char kLog[] = "log";

}  // namespace

DnsServer::DnsServer() : port_(FreePorts(1).front()) { Start(); }

std::string DnsServer::address() const { return fmt::format("127.0.0.1:{}", port_); }

std::vector<std::string> DnsServer::Command() const {
  std::vector<std::string> command = {
      kProgram, "--no-daemon", "--conf-file=/dev/null", "--pid-file=", "--no-resolv", "--no-hosts",
      // It answers for all names, and so says of those it has no records of that there are none.
      "--local=/#/", "--listen-address=127.0.0.1", "--bind-interfaces",
      fmt::format("--port={}", port_),
      fmt::format("--addn-hosts={}", (dir_.path() / kHosts).string())};
  for (const auto& [name, services] : services_) {
    for (const Service& s : services) {
      command.push_back(
          fmt::format("--srv-host={},{},{},{},{}", name, s.target, s.port, s.priority, s.weight));
    }
  }
  return command;
}

void DnsServer::WriteHosts() const {
  std::ofstream out(dir_.path() / kHosts, std::ios::trunc);
  for (const auto& [name, addresses] : addresses_) {
    for (const std::string& address : addresses) out << address << " " << name << "\n";
  }
}

// How often the server has said that it has read the addresses.
size_t DnsServer::TimesRead() const {
  const std::string log = ReadAll(dir_.path() / kLog);
  const std::string line = fmt::format("read {} ", (dir_.path() / kHosts).string());
  size_t times = 0;
  for (size_t at = log.find(line); at != std::string::npos; at = log.find(line, at + 1)) ++times;
  return times;
}

void DnsServer::AwaitRead(size_t times) const {
  EXPECT_TRUE(Eventually([&] { return TimesRead() >= times || !process_->Running(); }) &&
              process_->Running())
      << "dnsmasq (package dnsmasq-base): " << ReadAll(dir_.path() / kLog);
}

void DnsServer::Start() {
  WriteHosts();
  const size_t times = TimesRead();
  process_ = std::make_unique<Process>(Command(), dir_.path() / kLog);
  AwaitRead(times + 1);
}

void DnsServer::Stop() { process_.reset(); }

void DnsServer::Continue() const { process_->Signal(SIGCONT); }

void DnsServer::SetAddresses(const std::string& name, const std::vector<std::string>& addresses) {
  addresses_[name] = addresses;
  if (process_ == nullptr) return;
  WriteHosts();
  const size_t times = TimesRead();
  process_->Signal(SIGHUP);
  AwaitRead(times + 1);
}

void DnsServer::SetServices(const std::string& name, const std::vector<Service>& services) {
  services_[name] = services;
  Stop();
  Start();
}

}  // namespace engram::testing
