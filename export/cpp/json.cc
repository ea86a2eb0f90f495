#include "json.h"

#include <cstdlib>
#include <stdexcept>

namespace {

class Reader {
 public:
  explicit Reader(const std::string& text) : text_(text) {}

  Json Document() {
    Json value = Value(0);
    Skip();
    if (position_ != text_.size()) Fail();
    return value;
  }

 private:
  [[noreturn]] void Fail() const { throw std::runtime_error("damaged JSON at byte " + std::to_string(position_)); }
  void Skip() {
    while (position_ < text_.size() && std::string(" \t\r\n").find(text_[position_]) != std::string::npos) ++position_;
  }
  char Peek() {
    Skip();
    return position_ < text_.size() ? text_[position_] : '\0';
  }
  bool Take(const std::string& expected) {
    if (text_.compare(position_, expected.size(), expected) != 0) return false;
    position_ += expected.size();
    return true;
  }

  Json Value(int depth) {
    if (depth > 32) Fail();
    Json value;
    const char first = Peek();
    if (first == '{' || first == '[') {
      const char last = first == '{' ? '}' : ']';
      value.kind = first == '{' ? Json::kObject : Json::kArray;
      ++position_;
      while (Peek() != last) {
        if (!value.members.empty() && !Take(",")) Fail();
        Skip();
        std::string key;
        if (first == '{') {
          key = Text();
          if (Peek() != ':') Fail();
          ++position_;
        }
        value.members.emplace_back(key, Value(depth + 1));
      }
      ++position_;
    } else if (first == '"') {
      value.kind = Json::kText;
      value.text = Text();
    } else if (Take("true")) {
      value.kind = Json::kBool;
      value.number = 1;
    } else if (Take("false")) {
      value.kind = Json::kBool;
    } else if (!Take("null")) {
      char* end = nullptr;
      value.kind = Json::kNumber;
      value.number = std::strtod(text_.c_str() + position_, &end);
      if (end == text_.c_str() + position_) Fail();
      position_ = end - text_.c_str();
    }
    return value;
  }

  std::string Text() {
    if (!Take("\"")) Fail();
    std::string found;
    while (position_ < text_.size() && text_[position_] != '"') {
      char next = text_[position_++];
      if (next == '\\') {
        // The exporter writes UTF-8 as it is; \u stands for control characters only.
        static const std::string kEscapes = "\"\\/bfnrt", kMeaning = "\"\\/\b\f\n\r\t";
        if (position_ < text_.size() && text_[position_] == 'u' && position_ + 5 <= text_.size()) {
          next = static_cast<char>(std::strtol(text_.substr(position_ + 1, 4).c_str(), nullptr, 16));
          position_ += 5;
        } else {
          const size_t escape = position_ < text_.size() ? kEscapes.find(text_[position_++]) : std::string::npos;
          if (escape == std::string::npos) Fail();
          next = kMeaning[escape];
        }
      }
      found += next;
    }
    if (!Take("\"")) Fail();
    return found;
  }

  const std::string& text_;
  size_t position_ = 0;
};

}  // namespace

Json Json::Parse(const std::string& text) { return Reader(text).Document(); }

const Json& Json::operator[](const std::string& key) const {
  for (const auto& [name, value] : members) {
    if (kind == kObject && name == key) return value;
  }
  throw std::runtime_error("its settings lack '" + key + "'; export the model again");
}

bool Json::Has(const std::string& key) const {
  for (const auto& member : members) {
    if (kind == kObject && member.first == key) return true;
  }
  return false;
}

std::vector<std::string> Json::Texts() const {
  std::vector<std::string> texts;
  for (const auto& member : members) texts.push_back(member.second.text);
  return texts;
}
