// A .tflite file that speechzoo exported, run by LiteRT.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "json.h"
#include "litert.h"

// One object serves one thread at a time.
class Model {
 public:
  // Throws std::runtime_error for a file that can't be used.
  explicit Model(const std::string& path);
  ~Model();
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  // What decoding needs: "sample_rate", and "heads" with the type and labels of each.
  const Json& spec() const { return settings_["spec"]; }

  // Every head's output for one utterance (samples in [-1, 1]): its numbers row by row, without the batch axis.
  std::map<std::string, std::vector<float>> Outputs(std::vector<float> samples);

 private:
  std::string file_;  // LiteRT reads the network where it lies
  Json settings_;
  std::vector<std::string> outputs_;
  size_t signature_ = 0;
  LiteRtEnvironment environment_ = nullptr;
  LiteRtModel model_ = nullptr;
  LiteRtOptions options_ = nullptr;
  LiteRtCompiledModel compiled_ = nullptr;
};
