// speechzoo MODEL.tflite RECORDING.wav...: what every head says of each recording, one line a head.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include "model.h"
#include "wav.h"

namespace {

const char kWordStart[] = "\u2581";  // marks the first piece of a word

size_t Best(const float* values, size_t count) { return std::max_element(values, values + count) - values; }

double Probability(const float* logits, size_t count, size_t chosen) {
  double sum = 0;
  for (size_t index = 0; index < count; ++index) sum += std::exp(static_cast<double>(logits[index]) - logits[chosen]);
  return 1 / sum;
}

// Greedy CTC decoding: the best unit of each frame, repeats merged, blanks (index 0) left out.
std::string Text(const std::vector<float>& logits, const Json& head) {
  const std::vector<std::string> units = head["units"].Texts();
  const size_t width = units.size() + 1;
  std::string text;
  size_t last = 0;
  for (size_t frame = 0; frame + width <= logits.size(); frame += width) {
    const size_t unit = Best(&logits[frame], width);
    if (unit != 0 && unit != last) text += (head["kind"].text == "phones" ? " " : "") + units[unit - 1];
    last = unit;
  }
  for (size_t mark; (mark = text.find(kWordStart)) != std::string::npos;) text.replace(mark, sizeof kWordStart - 1, " ");
  // Words are separated by single spaces.
  text.erase(std::unique(text.begin(), text.end(), [](char a, char b) { return a == ' ' && b == ' '; }), text.end());
  if (!text.empty() && text.back() == ' ') text.pop_back();
  return !text.empty() && text.front() == ' ' ? text.substr(1) : text;
}

std::string Slots(const std::vector<float>& logits, const Json& head, double* confidence) {
  std::string filled;
  const float* segment = logits.data();
  *confidence = 1;
  for (const auto& [slot, values] : head["slots"].members) {
    const size_t count = values.members.size() + 1, best = Best(segment, count);
    *confidence *= Probability(segment, count, best);
    if (best != 0) filled += (filled.empty() ? "" : ", ") + slot + ": " + values.Texts()[best - 1];
    segment += count;
  }
  return filled;
}

// Where the second of two classes is likelier than the first: "0.31-2.60, 3.10-3.50 s", and how sure the frames are.
std::string Segments(const std::vector<float>& logits, double frame_seconds, double* confidence) {
  std::string segments;
  double sure = 0;
  const size_t frames = logits.size() / 2;
  for (size_t frame = 0, start = 0; frame < frames; ++frame) {
    const bool something = logits[2 * frame + 1] > logits[2 * frame];
    sure += Probability(&logits[2 * frame], 2, something);
    if (!something) {
      start = frame + 1;
    } else if (frame + 1 == frames || logits[2 * frame + 3] <= logits[2 * frame + 2]) {
      char text[64];
      std::snprintf(text, sizeof text, "%.2f-%.2f", start * frame_seconds, (frame + 1) * frame_seconds);
      segments += (segments.empty() ? "" : ", ") + std::string(text);
    }
  }
  *confidence = frames == 0 ? 1 : sure / frames;
  return segments.empty() ? segments : segments + " s";
}

// Whether a classifier leaves its answer out: it is unsure, or hardly ever recognises the class.
bool Abstains(const Json& head, const std::string& answer, double sure) {
  if (head.Has("threshold") && sure < head["threshold"].number) return true;
  if (!head.Has("weak")) return false;
  const std::vector<std::string> weak = head["weak"].Texts();
  return std::find(weak.begin(), weak.end(), answer) != weak.end();
}

void Print(const std::string& name, const Json& head, const std::vector<float>& output) {
  const std::string& type = head["type"].text;
  if (type == "ctc") {
    std::printf("%s\t%s\n", name.c_str(), Text(output, head).c_str());
  } else if (type == "classifier") {
    const std::vector<std::string> classes = head["classes"].Texts();
    if (output.size() != classes.size()) throw std::runtime_error("head '" + name + "' has other classes than it says");
    const size_t best = Best(output.data(), output.size());
    const double sure = Probability(output.data(), output.size(), best);
    if (Abstains(head, classes[best], sure)) {
      std::printf("%s\t-\n", name.c_str());
    } else {
      std::printf("%s\t%s\t%.4f\n", name.c_str(), classes[best].c_str(), sure);
    }
  } else if (type == "slots") {
    size_t size = 0;
    for (const auto& slot : head["slots"].members) size += slot.second.members.size() + 1;
    if (output.size() != size) throw std::runtime_error("head '" + name + "' has other slots than it says");
    double confidence = 0;
    const std::string filled = Slots(output, head, &confidence);
    std::printf("%s\t%s\t%.4f\n", name.c_str(), filled.c_str(), confidence);
  } else if (type == "frame_classifier") {
    double confidence = 0;
    const std::string segments = Segments(output, head["frame_seconds"].number, &confidence);
    std::printf("%s\t%s\t%.4f\n", name.c_str(), segments.c_str(), confidence);
  } else if (type == "speaker") {
    std::printf("%s\tvoice embedding of %zu numbers\n", name.c_str(), output.size());
  } else {
    throw std::runtime_error("head '" + name + "' is of type '" + type + "', which this program can't read");
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: %s MODEL.tflite RECORDING.wav...\n", argv[0]);
    return 2;
  }
  try {
    Model model(argv[1]);
    const Json& heads = model.spec()["heads"];
    for (int argument = 2; argument < argc; ++argument) {
      const std::vector<float> samples = ReadWav(argv[argument], static_cast<int>(model.spec()["sample_rate"].number));
      const auto outputs = model.Outputs(samples);
      std::printf("%s\n", argv[argument]);
      for (const auto& [name, head] : heads.members) {
        const auto output = outputs.find(name);
        if (output == outputs.end()) throw std::runtime_error(std::string(argv[1]) + ": its outputs lack head '" + name + "'");
        Print(name, head, output->second);
      }
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "speechzoo: error: %s\n", error.what());
    return 2;
  }
  return 0;
}
