#pragma once

#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

// The bytes of a file; throws std::runtime_error where it can't be read.
inline std::string ReadFile(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  if (!stream && !stream.eof()) throw std::runtime_error(path + ": can't be read");
  return bytes;
}
