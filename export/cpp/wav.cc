#include "wav.h"

#include <algorithm>
#include <cstdint>
#include <stdexcept>

#include "files.h"

std::vector<float> ReadWav(const std::string& path, int sample_rate) {
  const std::string file = ReadFile(path);
  const auto number = [&file](size_t position, int bytes) {
    uint32_t value = 0;
    for (int byte = bytes; byte-- > 0;) value = value << 8 | static_cast<uint8_t>(file.at(position + byte));
    return value;
  };
  if (file.compare(0, 4, "RIFF") != 0 || file.size() < 12 || file.compare(8, 4, "WAVE") != 0) {
    throw std::runtime_error(path + ": not a WAV file");
  }
  size_t channels = 0;
  for (size_t chunk = 12; chunk + 8 <= file.size();) {
    const size_t data = chunk + 8, size = number(chunk + 4, 4);
    if (file.compare(chunk, 4, "fmt ") == 0 && data + 16 <= file.size()) {
      const uint32_t format = number(data, 2), rate = number(data + 4, 4), bits = number(data + 14, 2);
      channels = number(data + 2, 2);
      // 0xFFFE: the format stands in an extension; with 16 bits it is PCM.
      if ((format != 1 && format != 0xFFFE) || bits != 16 || static_cast<int>(rate) != sample_rate || channels == 0) {
        throw std::runtime_error(path + ": " + std::to_string(bits) + " bits at " + std::to_string(rate) +
                                 " Hz; the model hears 16-bit PCM at " + std::to_string(sample_rate) + " Hz");
      }
    } else if (file.compare(chunk, 4, "data") == 0 && channels != 0) {
      const size_t frames = std::min(size, file.size() - data) / 2 / channels;
      std::vector<float> samples(frames);
      for (size_t frame = 0; frame < frames; ++frame) {
        float sum = 0;
        for (size_t channel = 0; channel < channels; ++channel) {
          sum += static_cast<int16_t>(number(data + 2 * (frame * channels + channel), 2));
        }
        samples[frame] = sum / channels / 32768;
      }
      if (frames == 0) throw std::runtime_error(path + ": holds no samples");
      return samples;
    }
    chunk = data + size + size % 2;
  }
  throw std::runtime_error(path + ": damaged, it holds no samples");
}
