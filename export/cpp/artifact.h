// The files that speechzoo appends to the network of a .tflite file, as a zip (TFLite's "associated files").
#pragma once

#include <string>

// The bytes of one of them. `file` is the whole .tflite file. Throws std::runtime_error where there is none.
std::string AssociatedFile(const std::string& file, const std::string& name);
