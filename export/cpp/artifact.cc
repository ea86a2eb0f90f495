#include "artifact.h"

#include <cstdint>
#include <stdexcept>

namespace {

constexpr char kEnd[] = "PK\5\6";    // end of central directory: 22 bytes, then a comment
constexpr char kEntry[] = "PK\1\2";  // entry of the central directory: 46 bytes, then name, extra field, comment
constexpr char kMember[] = "PK\3\4";  // before each member: 30 bytes, then name and extra field

uint32_t Number(const std::string& file, size_t position, int bytes) {
  if (position > file.size() || bytes > static_cast<int>(file.size() - position)) throw std::out_of_range("zip");
  uint32_t value = 0;
  for (int byte = bytes; byte-- > 0;) value = value << 8 | static_cast<uint8_t>(file[position + byte]);
  return value;
}

bool Starts(const std::string& file, size_t position, const char* mark) {
  return position <= file.size() && file.compare(position, 4, mark, 4) == 0;
}

}  // namespace

std::string AssociatedFile(const std::string& file, const std::string& name) {
  try {
    const size_t end = file.rfind(std::string(kEnd, 4));
    if (end == std::string::npos) throw std::out_of_range("zip");
    const size_t entries = Number(file, end + 10, 2), length = Number(file, end + 12, 4);
    // Where the zip begins in the file, if its offsets don't count the network before it.
    const size_t base = end - length - Number(file, end + 16, 4);
    size_t entry = end - length;
    for (size_t count = 0; count < entries && Starts(file, entry, kEntry); ++count) {
      const size_t name_length = Number(file, entry + 28, 2);
      if (file.compare(entry + 46, name_length, name) == 0) {
        if (Number(file, entry + 10, 2) != 0) throw std::runtime_error("'" + name + "' in it is compressed; export it again");
        const size_t size = Number(file, entry + 24, 4), member = base + Number(file, entry + 42, 4);
        const size_t data = member + 30 + Number(file, member + 26, 2) + Number(file, member + 28, 2);
        if (!Starts(file, member, kMember) || data > end || size > end - data) throw std::out_of_range("zip");
        return file.substr(data, size);
      }
      entry += 46 + name_length + Number(file, entry + 30, 2) + Number(file, entry + 32, 2);
    }
  } catch (const std::out_of_range&) {  // of a number or a comparison
  }
  throw std::runtime_error("holds no '" + name + "'; it is truncated or was not written by speechzoo export");
}
