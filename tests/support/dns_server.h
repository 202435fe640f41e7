// A real DNS server (dnsmasq) on loopback, whose records a test changes while it runs. It knows
// these and asks nobody else.
//
// One thread at a time. Its files are in a directory of its own, which goes with it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engram/storage/testing/temp_dir.h"
#include "support/process.h"

namespace engram::testing {

class DnsServer {
 public:
  // An SRV record.
  struct Service {
    std::string target;
    int port = 0;
    int priority = 0;
    int weight = 0;
  };

  // Starts without records.
  DnsServer();

  // "127.0.0.1:port", the same after a restart.
  std::string address() const;

  // Replaces the A and AAAA records of a name; none: the name is no longer known. Back when the
  // server, if it runs, has read them; it goes on answering meanwhile.
  void SetAddresses(const std::string& name, const std::vector<std::string>& addresses);
  // Replaces the SRV records of a name. The server is started anew: dnsmasq reads them only then.
  void SetServices(const std::string& name, const std::vector<Service>& services);

  void Start();
  // Nobody listens any more.
  void Stop();
  // It goes on listening and answers nothing (SIGSTOP, SIGCONT).
  void Pause() const { process_->Stop(); }
  void Continue() const;

 private:
  std::vector<std::string> Command() const;
  void WriteHosts() const;
  size_t TimesRead() const;
  void AwaitRead(size_t times) const;

  storage::TempDir dir_;
  const int port_;
  std::map<std::string, std::vector<std::string>> addresses_;
  std::map<std::string, std::vector<Service>> services_;
  std::unique_ptr<Process> process_;
};

}  // namespace engram::testing
