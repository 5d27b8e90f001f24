#pragma once

#include <vector>

#include <softscore/core/noise.hpp>
#include <softscore/core/shape.hpp>

// What the file that nvcc compiles gives the other.
std::vector<float> normals_in_a_cuda_file(const softscore::noise_key& key, const softscore::shape& extent);
void throw_in_a_cuda_file();
