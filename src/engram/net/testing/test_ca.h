// A certificate authority for tests: issues certificates into a temporary directory of its own,
// which goes with it.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "engram/net/tls.h"

namespace engram::net::testing {

class TestCa {
 public:
  TestCa();
  ~TestCa();
  TestCa(const TestCa&) = delete;
  TestCa& operator=(const TestCa&) = delete;

  // The CA's own certificate.
  std::string ca_file() const { return Path("ca.pem"); }
  // Writes NAME.pem and NAME.key, valid for the subject alternative names `names` (as OpenSSL takes
  // them: "IP:127.0.0.1,DNS:localhost"), over what was there. Returns options that use them; the
  // caller adds whom it trusts.
  TlsOptions Issue(const std::string& name, const std::string& names = "IP:127.0.0.1");

 private:
  struct Key;

  std::string Path(const std::string& file) const { return (dir_ / file).string(); }

  std::filesystem::path dir_;
  std::unique_ptr<Key> key_;
};

}  // namespace engram::net::testing
