// Reads JSON as speechzoo's exporter writes it.
#pragma once

#include <string>
#include <utility>
#include <vector>

// One value; objects keep the order of their members.
struct Json {
  enum Kind { kNull, kBool, kNumber, kText, kArray, kObject } kind = kNull;
  double number = 0;
  std::string text;
  std::vector<std::pair<std::string, Json>> members;  // keys are empty in an array

  // Throws std::runtime_error where the text is not JSON.
  static Json Parse(const std::string& text);

  // A member of an object; throws std::runtime_error where it is missing.
  const Json& operator[](const std::string& key) const;

  // Whether an object has such a member.
  bool Has(const std::string& key) const;

  // An array of texts.
  std::vector<std::string> Texts() const;
};
