// 16-bit WAV files.
#pragma once

#include <string>
#include <vector>

// Samples in [-1, 1], channels averaged. Throws std::runtime_error for anything but 16-bit PCM at `sample_rate`.
std::vector<float> ReadWav(const std::string& path, int sample_rate);
