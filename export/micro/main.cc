// Runs a micro export on this computer: a recording -> features, and with TensorFlow Lite Micro the answers.
//
//   speechzoo_micro --features RECORDING    the int8 features, one frame a line
//   speechzoo_micro --logits RECORDING      the network's int8 outputs, one run a line (built with TFLM_DIR)
//   speechzoo_micro RECORDING               the answers, one run a line (built with TFLM_DIR)
//
// RECORDING is a WAV file of 16-bit PCM, mono, at the model's sample rate, or a .raw file: such samples without a header.
// On a chip, everything but `read_samples` and the printing stays as it is here.

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "frontend.h"
#include "model_data.h"
#include "model_settings.h"

#ifdef SPEECHZOO_TFLM
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/micro/system_setup.h"
#include "tensorflow/lite/schema/schema_generated.h"

// TensorFlow Lite Micro moved its classes from the outer to the inner one in 2026.
namespace tflite::micro {}
using namespace tflite;
using namespace tflite::micro;
#endif

namespace {

#ifdef SPEECHZOO_TFLM
constexpr int kFramesBetweenRuns = SPEECHZOO_SAMPLE_RATE / 2 / SPEECHZOO_HOP_LENGTH;
#endif

bool fail(const std::string& message) {
  std::fprintf(stderr, "speechzoo_micro: %s\n", message.c_str());
  return false;
}

uint32_t little_endian(const unsigned char* bytes, int count) {
  uint32_t value = 0;
  for (int i = count - 1; i >= 0; i--) value = value << 8 | bytes[i];
  return value;
}

bool read_samples(const std::string& path, std::vector<int16_t>* samples) {
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (!file) return fail(path + ": can't be opened");
  std::vector<unsigned char> bytes;
  unsigned char block[4096];
  for (size_t count; (count = std::fread(block, 1, sizeof(block), file)) > 0;) {
    bytes.insert(bytes.end(), block, block + count);
  }
  std::fclose(file);
  size_t start = 0, size = bytes.size();
  if (size >= 12 && !std::memcmp(bytes.data(), "RIFF", 4) && !std::memcmp(bytes.data() + 8, "WAVE", 4)) {
    bool format_known = false;
    for (start = 12;;) {
      if (start + 8 > bytes.size()) return fail(path + ": a WAV file without samples");
      const unsigned char* chunk = bytes.data() + start;
      size = little_endian(chunk + 4, 4);
      start += 8;
      if (!std::memcmp(chunk, "data", 4)) break;
      if (!std::memcmp(chunk, "fmt ", 4) && start + 16 <= bytes.size()) {
        const uint32_t channels = little_endian(chunk + 10, 2), rate = little_endian(chunk + 12, 4);
        if (channels != 1 || rate != SPEECHZOO_SAMPLE_RATE || little_endian(chunk + 22, 2) != 16) {
          return fail(path + ": must be 16-bit PCM, mono, at " + std::to_string(SPEECHZOO_SAMPLE_RATE) + " Hz");
        }
        format_known = true;
      }
      start += size + (size & 1);
    }
    if (!format_known) return fail(path + ": a WAV file that doesn't say how its samples are stored");
    if (size > bytes.size() - start) size = bytes.size() - start;
  } else if (path.size() < 4 || path.compare(path.size() - 4, 4, ".raw")) {
    return fail(path + ": neither a WAV file nor a .raw file");
  }
  for (size_t i = start; i + 1 < start + size; i += 2) {
    samples->push_back(static_cast<int16_t>(little_endian(&bytes[i], 2)));
  }
  return true;
}

// What is done with a frame of features; false ends the program.
class Listener {
 public:
  virtual ~Listener() = default;
  virtual bool frame(const int8_t* features) = 0;
};

class PrintFeatures : public Listener {
 public:
  bool frame(const int8_t* features) override {
    for (int bin = 0; bin < SPEECHZOO_NUM_MEL_BINS; bin++) {
      std::printf("%d%c", features[bin], bin + 1 < SPEECHZOO_NUM_MEL_BINS ? ' ' : '\n');
    }
    return true;
  }
};

#ifdef SPEECHZOO_TFLM
alignas(16) uint8_t arena[SPEECHZOO_ARENA_BYTES];

// Keeps the last SPEECHZOO_NUM_FRAMES frames and runs the network on them twice a second.
class Recognize : public Listener {
 public:
  explicit Recognize(bool logits)
      : logits_(logits), interpreter_(GetModel(speechzoo_model), operators(), arena, sizeof(arena)) {}

  bool start() {
    if (interpreter_.AllocateTensors() != kTfLiteOk) return fail("the network doesn't fit into the arena");
    std::fprintf(stderr, "arena: %zu of %zu bytes\n", interpreter_.arena_used_bytes(), sizeof(arena));
    return true;
  }

  bool frame(const int8_t* features) override {
    std::memmove(window_, window_[1], sizeof(window_) - sizeof(window_[0]));
    std::memcpy(window_[SPEECHZOO_NUM_FRAMES - 1], features, sizeof(window_[0]));
    frames_++;
    if (frames_ < SPEECHZOO_NUM_FRAMES || (frames_ - SPEECHZOO_NUM_FRAMES) % kFramesBetweenRuns) return true;
    std::memcpy(interpreter_.input(0)->data.int8, window_, sizeof(window_));
    if (interpreter_.Invoke() != kTfLiteOk) return fail("the network doesn't run");
    if (!logits_) std::printf("%.2f s", static_cast<double>(frames_) * SPEECHZOO_HOP_LENGTH / SPEECHZOO_SAMPLE_RATE);
    for (int number = 0; number < SPEECHZOO_NUM_HEADS; number++) print(number);
    std::printf("\n");
    return true;
  }

 private:
  using Operators = MicroMutableOpResolver<SPEECHZOO_NUM_OPERATORS>;

  static const Operators& operators() {
    static const Operators all = [] {
      Operators resolver;
      SPEECHZOO_ADD_OPERATORS(resolver)
      return resolver;
    }();
    return all;
  }

  void print(int number) {
    const SpeechzooHead& head = speechzoo_heads[number];
    const int8_t* values = interpreter_.output(number)->data.int8;
    int best = 0;
    float total = 0.0f;
    for (int i = 0; i < head.num_classes; i++) {
      if (logits_) std::printf("%d ", values[i]);
      if (values[i] > values[best]) best = i;
    }
    for (int i = 0; i < head.num_classes; i++) {
      total += std::exp(head.scale * static_cast<float>(values[i] - values[best]));
    }
    if (!logits_) std::printf("  %s %s %.2f", head.name, head.classes[best], 1.0f / total);
  }

  const bool logits_;
  int frames_ = 0;
  int8_t window_[SPEECHZOO_NUM_FRAMES][SPEECHZOO_NUM_MEL_BINS] = {};
  MicroInterpreter interpreter_;
};
#endif

// Feeds a recording and the silence that completes its last windows.
bool listen(const std::vector<int16_t>& samples, Listener* listener) {
  static SpeechzooFrontend frontend;
  speechzoo_frontend_init(&frontend);
  const size_t frames = samples.size() / SPEECHZOO_HOP_LENGTH;
  int8_t features[SPEECHZOO_NUM_MEL_BINS];
  size_t position = 0, heard = 0, used;
  while (heard < frames) {
    const bool inside = position < samples.size();
    const size_t left = inside ? samples.size() - position : SPEECHZOO_WINDOW_LENGTH;
    const int16_t* next = inside ? &samples[position] : nullptr;
    const int complete = speechzoo_frontend_feed(&frontend, next, left, &used, features);
    if (inside) position += used;
    if (!complete) continue;
    heard++;
    if (!listener->frame(features)) return false;
  }
  return true;
}

}  // namespace

int main(int count, char** arguments) {
  const std::string option = count == 3 ? arguments[1] : "";
  if (count < 2 || count > 3 || (count == 3 && option != "--features" && option != "--logits")) {
    fail("usage: speechzoo_micro [--features | --logits] RECORDING");
    return 2;
  }
  std::vector<int16_t> samples;
  if (!read_samples(arguments[count - 1], &samples)) return 2;
  if (option == "--features") {
    PrintFeatures print;
    return listen(samples, &print) ? 0 : 1;
  }
#ifdef SPEECHZOO_TFLM
  InitializeTarget();
  // Silence completes what is shorter than the network's window.
  if (samples.size() < SPEECHZOO_NUM_FRAMES * SPEECHZOO_HOP_LENGTH) {
    samples.resize(SPEECHZOO_NUM_FRAMES * SPEECHZOO_HOP_LENGTH);
  }
  static Recognize recognize(option == "--logits");
  return recognize.start() && listen(samples, &recognize) ? 0 : 1;
#else
  fail("built without TensorFlow Lite Micro, so only --features works: make TFLM_DIR=...");
  return 2;
#endif
}
