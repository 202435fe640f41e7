#include "engram/cli/embedding_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "engram/base/error.h"
#include "engram/base/file.h"

namespace engram::cli {

absl::StatusOr<std::vector<float>> ReadEmbedding(const std::string& file) {
  absl::StatusOr<std::string> read = ReadFile(file);
  if (!read.ok()) return read.status();
  std::string text = *std::move(read);
  // A JSON array of numbers differs from a plain list only in its brackets.
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '[' || c == ']' || c == ','; }, ' ');
  std::istringstream words(text);
  std::vector<float> numbers;
  for (std::string word; words >> word;) {
    char* end = nullptr;
    float number = std::strtof(word.c_str(), &end);
    if (*end != '\0') {
      return InvalidArgument("embedding", fmt::format("{}: '{}' is not a number", file, word));
    }
    numbers.push_back(number);
  }
  if (numbers.empty())
    return InvalidArgument("embedding", fmt::format("{} holds no numbers", file));
  return numbers;
}

}  // namespace engram::cli
