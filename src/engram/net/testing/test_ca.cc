#include "engram/net/testing/test_ca.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>

namespace engram::net::testing {
namespace {

using Certificate = std::unique_ptr<X509, void (*)(X509*)>;
using PrivateKey = std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)>;

constexpr long kValidSeconds = 3600;

// Tests cannot go on without.
void Require(bool ok) {
  if (!ok) std::abort();
}

void AddExtension(X509* certificate, X509* issuer, int id, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str());
  Require(extension != nullptr);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

Certificate NewCertificate(const std::string& name, EVP_PKEY* key) {
  static long serial = 0;
  Certificate made(X509_new(), X509_free);
  X509_set_version(made.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), -kValidSeconds);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), kValidSeconds);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(made.get()), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_pubkey(made.get(), key);
  return made;
}

template <class Write>
void WritePem(const std::string& path, Write write) {
  FILE* file = std::fopen(path.c_str(), "w");
  Require(file != nullptr);
  write(file);
  std::fclose(file);
}

}  // namespace

struct TestCa::Key {
  PrivateKey key{EVP_EC_gen("P-256"), EVP_PKEY_free};
  Certificate certificate = NewCertificate("test CA", key.get());

  void Sign(X509* subject) const {
    X509_set_issuer_name(subject, X509_get_subject_name(certificate.get()));
    Require(X509_sign(subject, key.get(), EVP_sha256()) > 0);
  }
};

TestCa::TestCa() : key_(std::make_unique<Key>()) {
  std::string pattern = (std::filesystem::temp_directory_path() / "engram-ca-XXXXXX").string();
  Require(::mkdtemp(pattern.data()) != nullptr);
  dir_ = pattern;
  X509* own = key_->certificate.get();
  AddExtension(own, own, NID_basic_constraints, "critical,CA:TRUE");
  key_->Sign(own);
  WritePem(ca_file(), [&](FILE* file) { PEM_write_X509(file, own); });
}

TestCa::~TestCa() { std::filesystem::remove_all(dir_); }

TlsOptions TestCa::Issue(const std::string& name, const std::string& names) {
  const PrivateKey key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const Certificate certificate = NewCertificate(name, key.get());
  AddExtension(certificate.get(), key_->certificate.get(), NID_subject_alt_name, names);
  key_->Sign(certificate.get());
  TlsOptions options;
  options.certificate_file = Path(name + ".pem");
  options.key_file = Path(name + ".key");
  WritePem(options.certificate_file, [&](FILE* file) { PEM_write_X509(file, certificate.get()); });
  WritePem(options.key_file, [&](FILE* file) {
    PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
  return options;
}

}  // namespace engram::net::testing
