#include "model.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "artifact.h"
#include "files.h"

namespace {

constexpr char kSignature[] = "recognize";
constexpr int kMoreFrames = 8;  // of a recording that ends between two frames
constexpr int kFewestFrameSamples = 80;  // of a frame: hops are 160 samples, 10 ms at 16 kHz, or more

void Check(LiteRtStatus status, const char* what) {
  if (status != 0) throw std::runtime_error(std::string("LiteRT can't ") + what + " (status " + std::to_string(status) + ")");
}

size_t Size(const LiteRtLayout& layout) {
  size_t size = 1;
  for (unsigned axis = 0; axis < layout.rank; ++axis) size *= std::max(layout.dimensions[axis], 0);
  return size;
}

// A tensor in host memory.
class Buffer {
 public:
  Buffer(LiteRtEnvironment environment, const LiteRtLayout& layout) : size_(Size(layout)) {
    const LiteRtRankedTensorType type = {kLiteRtElementTypeFloat32, layout};
    Check(LiteRtCreateManagedTensorBuffer(environment, kLiteRtTensorBufferTypeHostMemory, &type, size_ * sizeof(float),
                                          &buffer_), "make a tensor");
  }
  ~Buffer() {
    if (buffer_) LiteRtDestroyTensorBuffer(buffer_);
  }
  Buffer(Buffer&& other) : buffer_(other.buffer_), size_(other.size_) { other.buffer_ = nullptr; }

  LiteRtTensorBuffer get() const { return buffer_; }

  void Write(const std::vector<float>& values) {
    void* address = nullptr;
    Check(LiteRtLockTensorBuffer(buffer_, &address, kLiteRtLockWrite), "write a tensor");
    std::memcpy(address, values.data(), size_ * sizeof(float));
    LiteRtUnlockTensorBuffer(buffer_);
  }

  std::vector<float> Read() const {
    void* address = nullptr;
    Check(LiteRtLockTensorBuffer(buffer_, &address, kLiteRtLockRead), "read a tensor");
    std::vector<float> values(static_cast<float*>(address), static_cast<float*>(address) + size_);
    LiteRtUnlockTensorBuffer(buffer_);
    return values;
  }

 private:
  LiteRtTensorBuffer buffer_ = nullptr;
  size_t size_;
};

}  // namespace

Model::Model(const std::string& path) try : file_(ReadFile(path)) {
  if (file_.size() < 8 || file_.compare(4, 4, "TFL3") != 0) throw std::runtime_error("not a TFLite file");
  settings_ = Json::Parse(AssociatedFile(file_, "speechzoo.json"));
  if (settings_["format"].number != 1) throw std::runtime_error("written for another version of speechzoo");
  const LiteRtEnvOption options[] = {
      {kLiteRtEnvOptionTagAutoRegisterAccelerators, {kLiteRtAnyTypeInt, kLiteRtHwAcceleratorCpu}},
      {kLiteRtEnvOptionTagMinLoggerSeverity, {kLiteRtAnyTypeInt, kLiteRtLogSeverityError}}};
  Check(LiteRtCreateEnvironment(2, options, &environment_), "start");
  Check(LiteRtCreateModelFromBuffer(environment_, file_.data(), file_.size(), &model_), "read the network");
  size_t count = 0;
  LiteRtSignature signature = nullptr;
  const char* name = "";
  Check(LiteRtGetNumModelSignatures(model_, &count), "read the signatures");
  for (signature_ = 0; signature_ < count && std::strcmp(name, kSignature) != 0; ++signature_) {
    Check(LiteRtGetModelSignature(model_, signature_, &signature), "read a signature");
    Check(LiteRtGetSignatureKey(signature, &name), "read a signature");
  }
  if (std::strcmp(name, kSignature) != 0) throw std::runtime_error("has no signature 'recognize'");
  --signature_;
  Check(LiteRtGetNumSignatureOutputs(signature, &count), "count the outputs");
  for (size_t output = 0; output < count; ++output) {
    Check(LiteRtGetSignatureOutputName(signature, output, &name), "name an output");
    outputs_.push_back(name);
  }
  Check(LiteRtCreateOptions(&options_), "take options");
  Check(LiteRtSetOptionsHardwareAccelerators(options_, kLiteRtHwAcceleratorCpu), "choose the CPU");
  Check(LiteRtCreateCompiledModel(environment_, model_, options_, &compiled_), "run the network");
} catch (const std::runtime_error& error) {
  throw std::runtime_error(path + ": " + error.what());
}

Model::~Model() {
  LiteRtDestroyCompiledModel(compiled_);
  LiteRtDestroyOptions(options_);
  LiteRtDestroyModel(model_);
  LiteRtDestroyEnvironment(environment_);
}

std::map<std::string, std::vector<float>> Model::Outputs(std::vector<float> samples) {
  samples.resize(std::max(samples.size(), static_cast<size_t>(settings_["minimum_samples"].number)));
  const int dimensions[] = {1, static_cast<int>(samples.size())};
  Check(LiteRtCompiledModelResizeInputTensor(compiled_, signature_, 0, dimensions, 2), "take audio of this length");
  std::vector<LiteRtLayout> layouts(outputs_.size());
  Check(LiteRtGetCompiledModelOutputTensorLayouts(compiled_, signature_, layouts.size(), layouts.data(), true),
        "take audio of this length");
  // The number of frames is known after the run only, and LiteRT writes past the end of a buffer that is too small for them.
  // Nor does it take one that is smaller than the run before needed. What the file says of its heads may be damaged, so
  // that the bound is that of any front end.
  const int frames = static_cast<int>(samples.size()) / kFewestFrameSamples + kMoreFrames;
  for (LiteRtLayout& output : layouts) {
    if (output.rank == 3) output.dimensions[1] = std::max(output.dimensions[1], frames);
  }

  LiteRtLayout layout = {};
  layout.rank = 2;
  std::copy(dimensions, dimensions + 2, layout.dimensions);
  Buffer input(environment_, layout);
  input.Write(samples);
  std::vector<Buffer> outputs;
  std::vector<LiteRtTensorBuffer> handles;
  for (const LiteRtLayout& output : layouts) handles.push_back(outputs.emplace_back(environment_, output).get());
  LiteRtTensorBuffer audio = input.get();
  Check(LiteRtRunCompiledModel(compiled_, signature_, 1, &audio, handles.size(), handles.data()), "run the network");
  Check(LiteRtGetCompiledModelOutputTensorLayouts(compiled_, signature_, layouts.size(), layouts.data(), false),
        "count the frames");
  std::map<std::string, std::vector<float>> found;
  for (size_t output = 0; output < outputs.size(); ++output) {
    found[outputs_[output]] = outputs[output].Read();
    found[outputs_[output]].resize(std::min(found[outputs_[output]].size(), Size(layouts[output])));
  }
  return found;
}
